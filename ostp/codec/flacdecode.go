package codec

import (
	"errors"
	"fmt"
)

const (
	flacMaxLPC   = 32
	flacMaxDepth = 24
)

// errFLAC stands for every way in which a subframe may be wrong.
var errFLAC = errors.New("flac payload is damaged: drop it")

// flacDecoder reads one frame per payload.
type flacDecoder struct {
	shape
	planes [][]int32
	crc    *flacCRC
}

func newFLACDecoder(p Params) *flacDecoder {
	d := &flacDecoder{shape: p.shape(), crc: newFLACCRC()}
	for range p.Channels {
		d.planes = append(d.planes, make([]int32, MaxFrames))
	}
	return d
}

// flacHeader is what a frame says of itself.
type flacHeader struct {
	frames, depth int
	assignment    int
}

func (d *flacDecoder) Decode(pcm []float32, payload []byte) (int, error) {
	if len(payload) < 8 || len(payload) > MaxPayload {
		return 0, errFLAC
	}
	body := payload[:len(payload)-2]
	if sum := d.crc.sum16(body); payload[len(body)] != byte(sum>>8) || payload[len(body)+1] != byte(sum) {
		return 0, errors.New("flac payload has a wrong check sum: drop it")
	}
	r := bitReader{b: body}
	h, err := d.header(&r)
	if err != nil {
		return 0, err
	}
	if err := d.checkOutput(h.frames, len(pcm)); err != nil {
		return 0, err
	}
	for c := range d.channels {
		depth := h.depth
		if h.assignment == flacLeftSide && c == 1 || h.assignment == flacRightSide && c == 0 || h.assignment == flacMidSide && c == 1 {
			depth++
		}
		if !decodeSubframe(&r, d.planes[c][:h.frames], depth) {
			return 0, errFLAC
		}
	}
	d.emit(pcm, h)
	return h.frames, nil
}

// header reads and checks the frame header (RFC 9639 section 9.1).
func (d *flacDecoder) header(r *bitReader) (h flacHeader, err error) {
	if r.read(15) != 0x7ffc {
		return h, errors.New("flac payload does not begin with a frame: drop it")
	}
	r.read(1) // fixed or variable block size
	sizeCode, rateCode := r.read(4), r.read(4)
	h.assignment = int(r.read(4))
	depthCode := r.read(3)
	r.read(1)
	skipFLACNumber(r)
	h.frames = flacBlockSize(r, sizeCode)
	rate := flacRate(r, rateCode)
	at := r.pos / 8
	if sum := r.read(8); r.bad || sum != uint32(d.crc.sum8(r.b[:at])) {
		return h, errors.New("flac header has a wrong check sum: drop it")
	}
	h.depth = [8]int{0, 8, 12, 0, 16, 20, 24, 0}[depthCode]
	channels := h.assignment + 1
	if h.assignment >= flacLeftSide {
		channels = 2
	}
	switch {
	case h.depth == 0:
		return h, fmt.Errorf("flac payload with sample size code %d: the sender must use 8 to 24 bits", depthCode)
	case h.assignment > flacMidSide || channels != d.channels:
		return h, fmt.Errorf("flac payload holds %d channels where the stream has %d: drop it", channels, d.channels)
	case rate != Rate:
		return h, fmt.Errorf("flac payload at %d Hz: the sender must resample to %d", rate, Rate)
	case h.frames < 1 || h.frames > MaxFrames:
		return h, fmt.Errorf("flac payload holds %d frames, a packet holds 1 to %d: drop it", h.frames, MaxFrames)
	}
	return h, nil
}

// skipFLACNumber passes over the frame or sample number.
func skipFLACNumber(r *bitReader) {
	lead := r.read(8)
	for mask := uint32(0x40); lead >= 0xc0 && lead&mask != 0 && mask > 1; mask >>= 1 {
		r.read(8)
	}
}

// flacBlockSize returns the frames that a code means.
func flacBlockSize(r *bitReader, code uint32) int {
	switch {
	case code == 1:
		return 192
	case code >= 2 && code <= 5:
		return 576 << (code - 2)
	case code == 6:
		return int(r.read(8)) + 1
	case code == 7:
		return int(r.read(16)) + 1
	case code >= 8:
		return 256 << (code - 8)
	}
	return 0
}

// flacRate returns the rate that a code means; 0 leaves it to the stream, which
// is always at 48 kHz.
func flacRate(r *bitReader, code uint32) int {
	switch code {
	case 0, 10:
		return Rate
	case 12:
		return int(r.read(8)) * 1000
	case 13:
		return int(r.read(16))
	case 14:
		return int(r.read(16)) * 10
	}
	return int(code) // some other rate
}

// emit undoes stereo decorrelation and writes samples.
func (d *flacDecoder) emit(pcm []float32, h flacHeader) {
	if d.channels == 2 && h.assignment >= flacLeftSide {
		a, b := d.planes[0][:h.frames], d.planes[1][:h.frames]
		for i := range a {
			x, y := a[i], b[i]
			switch h.assignment {
			case flacLeftSide:
				b[i] = x - y
			case flacRightSide:
				a[i] = x + y
			case flacMidSide:
				sum := x<<1 | y&1
				a[i], b[i] = (sum+y)>>1, (sum-y)>>1
			}
		}
	}
	full := int32(1) << (h.depth - 1)
	scale := 1 / float32(full)
	for c := range d.channels {
		for i, x := range d.planes[c][:h.frames] {
			pcm[i*d.channels+c] = float32(max(min(x, full-1), -full)) * scale
		}
	}
}

// Conceal leaves concealment to the caller.
func (d *flacDecoder) Conceal([]float32, int) (int, error) { return 0, nil }

// Reset has nothing to forget: frames stand alone.
func (d *flacDecoder) Reset() {}

// decodeSubframe fills out with one channel (RFC 9639 section 9.2).
func decodeSubframe(r *bitReader, out []int32, depth int) bool {
	if r.read(1) != 0 {
		return false
	}
	kind := int(r.read(6))
	wasted := uint(0)
	if r.read(1) == 1 {
		wasted = uint(r.unary()) + 1
	}
	if r.bad || wasted >= uint(depth) {
		return false
	}
	bits := uint(depth) - wasted
	ok := true
	switch {
	case kind == flacConstant:
		v := r.signed(bits)
		for i := range out {
			out[i] = v
		}
	case kind == flacVerbatim:
		for i := range out {
			out[i] = r.signed(bits)
		}
	case kind >= flacFixed && kind <= flacFixed+flacMaxFixed:
		ok = decodeFixed(r, out, kind-flacFixed, bits)
	case kind >= flacLPC:
		ok = decodeLPC(r, out, kind-flacLPC+1, bits)
	default:
		return false
	}
	for i := range out {
		out[i] <<= wasted
	}
	return ok && !r.bad
}

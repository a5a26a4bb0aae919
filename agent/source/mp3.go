package source

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	mp3 "github.com/hajimehoshi/go-mp3"
)

// mp3DecoderDelay is how many frames every MP3 decoder lags.
const mp3DecoderDelay = 529

// mp3SearchArea is how far from its beginning a file may have no audio, in
// bytes.
const mp3SearchArea = 1 << 18

// mp3Decoder reads Layer III and cuts off what the encoder added, where the
// file tells.
type mp3Decoder struct {
	r        io.Reader // 16-bit stereo
	channels int
	skip     int64 // frames to drop first
	left     int64 // frames to yield, or -1
	buf      []byte
}

// newMP3 opens the MP3 stream that begins at an offset of the file.
func newMP3(file *os.File, start int64) (*track, error) {
	area := make([]byte, mp3SearchArea)
	n, err := file.ReadAt(area, start)
	if err != nil && !eof(err) {
		return nil, err
	}
	area = area[:n]
	at, h, ok := findMP3(area)
	if !ok {
		return nil, errUnknown
	}
	if h.version == 25 || h.rate == 22050 {
		// The library has no MPEG 2.5, and miscounts padded frames of MPEG 2,
		// which only 22050 Hz needs: it would play noise.
		return nil, fmt.Errorf("MP3 at %d Hz cannot be played: convert it to FLAC or Ogg", h.rate)
	}
	info := parseXing(area[at:min(at+h.size(), len(area))], h)
	if info.present {
		at += h.size()
	}
	end, err := mp3End(file)
	if err != nil {
		return nil, err
	}
	from := start + int64(at)
	// The reader must not be seekable, or the library would scan all of it.
	r := struct{ io.Reader }{bufio.NewReaderSize(io.NewSectionReader(file, from, end-from), 1<<14)}
	dec, err := mp3.NewDecoder(r)
	if err != nil {
		return nil, fmt.Errorf("damaged MP3 file: %w", noEOF(err))
	}
	return trimmed(&mp3Decoder{r: dec, channels: h.channels, left: -1}, h, info, end-from), nil
}

// trimmed makes a track of size bytes that yields what the encoder was given,
// where the file tells how much that is.
func trimmed(d *mp3Decoder, h mp3Header, info xingInfo, size int64) *track {
	t := &track{decoder: d, rate: h.rate, channels: h.channels}
	t.frames = info.frames * int64(h.samples())
	if info.frames == 0 {
		t.frames = size * 8 * int64(h.rate) / int64(h.bitrate) // an estimate
	}
	if info.gapless && t.frames > info.delay+info.padding {
		t.frames -= info.delay + info.padding
		d.skip, d.left = info.delay+mp3DecoderDelay, t.frames
	}
	return t
}

// findMP3 returns the first frame header that another one follows.
func findMP3(b []byte) (at int, h mp3Header, ok bool) {
	for at := 0; at+4 <= len(b); at++ {
		h := parseMP3Header(b[at:])
		if !h.ok() {
			continue
		}
		next := at + h.size()
		if next == len(b) {
			return at, h, true // a file of one frame
		}
		if next+4 > len(b) {
			continue
		}
		if f := parseMP3Header(b[next:]); f.ok() && f.rate == h.rate && f.version == h.version {
			return at, h, true
		}
	}
	return 0, mp3Header{}, false
}

// mp3End returns where the audio ends: before ID3v1 and APE tags.
func mp3End(file *os.File) (int64, error) {
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	end := info.Size()
	var b [32]byte
	if end >= 128 {
		if _, err := file.ReadAt(b[:3], end-128); err == nil && string(b[:3]) == "TAG" {
			end -= 128
		}
	}
	if end >= 32 {
		if _, err := file.ReadAt(b[:], end-32); err == nil && string(b[:8]) == "APETAGEX" {
			end -= int64(binary.LittleEndian.Uint32(b[12:]))
		}
	}
	return max(end, 0), nil
}

// xingInfo is what the first frame of a file may tell instead of audio.
type xingInfo struct {
	present        bool
	frames         int64 // MPEG frames
	gapless        bool  // delay and padding are known
	delay, padding int64 // frames of audio added by the encoder
}

// parseXing reads the Xing or Info tag, with LAME's addition, of a first frame.
func parseXing(b []byte, h mp3Header) (x xingInfo) {
	at := 4 + 32
	switch {
	case h.version == 1 && h.channels == 1, h.version != 1 && h.channels == 2:
		at = 4 + 17
	case h.version != 1:
		at = 4 + 9
	}
	if len(b) >= 40 && string(b[36:40]) == "VBRI" {
		return xingInfo{present: true}
	}
	if len(b) < at+8 || string(b[at:at+4]) != "Xing" && string(b[at:at+4]) != "Info" {
		return x
	}
	x.present = true
	flags := b[at+7]
	rest := b[at+8:]
	for _, field := range [...]struct {
		flag byte
		size int
	}{{1, 4}, {2, 4}, {4, 100}, {8, 4}} {
		if flags&field.flag == 0 {
			continue
		}
		if len(rest) < field.size {
			return x
		}
		if field.flag == 1 {
			x.frames = int64(binary.BigEndian.Uint32(rest))
		}
		rest = rest[field.size:]
	}
	if len(rest) >= 24 && rest[0] != 0 && x.frames > 0 {
		x.delay = int64(rest[21])<<4 | int64(rest[22])>>4
		x.padding = int64(rest[22]&15)<<8 | int64(rest[23])
		x.gapless = x.delay > 0 || x.padding > 0
	}
	return x
}

func (d *mp3Decoder) read(dst []float32) (int, error) {
	const frame = 4 // bytes: the library yields 16-bit stereo
	for {
		want := int64(min(len(dst)/d.channels, 1152))
		if d.left >= 0 {
			want = min(want, max(d.skip, d.left))
		}
		if want == 0 {
			return 0, io.EOF
		}
		if cap(d.buf) < 1152*frame {
			d.buf = make([]byte, 1152*frame)
		}
		n, err := io.ReadFull(d.r, d.buf[:want*frame])
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = nil
		}
		b := d.buf[:n/frame*frame]
		drop := min(d.skip, int64(len(b)/frame))
		d.skip -= drop
		b = b[drop*frame:]
		if d.left >= 0 {
			b = b[:min(int64(len(b)), d.left*frame)]
			d.left -= int64(len(b) / frame)
		}
		for i := range len(b) / frame {
			for c := range d.channels {
				dst[i*d.channels+c] = s16.sample(b[i*frame+2*c:])
			}
		}
		if len(b) > 0 || err != nil {
			return len(b) / frame, err
		}
	}
}

package codec

import "fmt"

// pcmEncoder writes linear PCM, little-endian.
type pcmEncoder struct {
	shape
	bytes   int // per sample
	quant   quantizer
	scratch []int32
}

func newPCMEncoder(p Params) (*pcmEncoder, error) {
	n, size := p.Channels*p.Frames, p.sampleBytes()
	if n*size > MaxPayload {
		return nil, fmt.Errorf("%v of %d channels and %d frames makes %d bytes, a payload holds %d: choose a shorter packet time or flac",
			p.Type, p.Channels, p.Frames, n*size, MaxPayload)
	}
	return &pcmEncoder{
		shape: p.shape(), bytes: size,
		quant:   newQuantizer(8*size, p),
		scratch: make([]int32, n),
	}, nil
}

func (e *pcmEncoder) Append(dst []byte, pcm []float32) ([]byte, error) {
	if err := e.checkInput(pcm); err != nil {
		return dst, err
	}
	e.quant.quantize(e.scratch, pcm)
	if e.bytes == 2 {
		for _, v := range e.scratch {
			dst = append(dst, byte(v), byte(v>>8))
		}
		return dst, nil
	}
	for _, v := range e.scratch {
		dst = append(dst, byte(v), byte(v>>8), byte(v>>16))
	}
	return dst, nil
}

// pcmDecoder reads linear PCM, little-endian.
type pcmDecoder struct {
	shape
	bytes int // per sample
}

func (d *pcmDecoder) Decode(pcm []float32, payload []byte) (int, error) {
	frame := d.channels * d.bytes
	if len(payload) == 0 || len(payload)%frame != 0 {
		return 0, fmt.Errorf("payload of %d bytes is not whole frames of %d bytes: drop it", len(payload), frame)
	}
	frames := len(payload) / frame
	if err := d.checkOutput(frames, len(pcm)); err != nil {
		return 0, err
	}
	pcm = pcm[:frames*d.channels]
	if d.bytes == 2 {
		for i := range pcm {
			b := payload[2*i : 2*i+2]
			pcm[i] = float32(int16(b[0])|int16(b[1])<<8) * (1.0 / (1 << 15))
		}
		return frames, nil
	}
	for i := range pcm {
		b := payload[3*i : 3*i+3]
		v := int32(b[0])<<8 | int32(b[1])<<16 | int32(b[2])<<24
		pcm[i] = float32(v>>8) * (1.0 / (1 << 23))
	}
	return frames, nil
}

// Conceal leaves concealment to the caller.
func (d *pcmDecoder) Conceal([]float32, int) (int, error) { return 0, nil }

// Reset has nothing to forget.
func (d *pcmDecoder) Reset() {}

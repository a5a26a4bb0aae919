package codec

import (
	"errors"
	"fmt"

	"github.com/thesyncim/gopus"
)

// Opus is sent in its low-delay application: that is CELT alone, with the same
// quality as the "audio" application at these bit rates (measured: within
// 0.3 dB at every packet time) and 120 frames of lookahead instead of 312.
// Constrained variable bit rate keeps packets even in size.

// opusMaxFrame is the largest Opus frame with its table of contents, in bytes.
const opusMaxFrame = 1276

// opusLongest is the decoder's own limit in frames. It must be above MaxFrames:
// asked to conceal exactly its limit, the library conceals the last packet's
// length instead.
const opusLongest = 5760

// opusStep is the shortest Opus frame, 2.5 ms; concealment counts in it.
const opusStep = 120

type opusEncoder struct {
	shape
	enc     *gopus.Encoder
	scratch []float32
	packet  [opusMaxFrame]byte
}

func newOpusEncoder(p Params) (*opusEncoder, error) {
	if p.Channels > 2 {
		return nil, opusChannels(p.Channels)
	}
	switch p.Frames {
	case 120, 240, 480, 960:
	default:
		return nil, fmt.Errorf("opus cannot carry %d frames per packet: choose a packet time of 2.5, 5, 10 or 20 ms, or pcm", p.Frames)
	}
	if p.Bitrate == 0 {
		p.Bitrate = 128000
	}
	if p.Bitrate < 32000 || p.Bitrate > 320000 {
		return nil, fmt.Errorf("opus at %d bit/s: choose 32000 to 320000", p.Bitrate)
	}
	enc, err := gopus.NewEncoder(gopus.EncoderConfig{
		SampleRate: Rate, Channels: p.Channels, Application: gopus.ApplicationLowDelay,
	})
	if err != nil {
		return nil, fmt.Errorf("open opus encoder: %w", err)
	}
	e := &opusEncoder{shape: p.shape(), enc: enc, scratch: make([]float32, p.Channels*p.Frames)}
	return e, e.configure(p)
}

func (e *opusEncoder) configure(p Params) error {
	steps := []func() error{
		func() error { return e.enc.SetFrameSize(p.Frames) },
		func() error { return e.enc.SetBitrateMode(gopus.BitrateModeCVBR) },
		func() error { return e.enc.SetBitrate(p.Bitrate) },
		func() error { return e.enc.SetSignal(gopus.SignalMusic) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("set up opus for %d frames at %d bit/s: %w", p.Frames, p.Bitrate, err)
		}
	}
	return nil
}

func (e *opusEncoder) Append(dst []byte, pcm []float32) ([]byte, error) {
	if err := e.checkInput(pcm); err != nil {
		return dst, err
	}
	for i, x := range pcm {
		e.scratch[i] = clip(x)
	}
	n, err := e.enc.Encode(e.scratch, e.packet[:])
	if err != nil {
		return dst, fmt.Errorf("encode opus: %w", err)
	}
	if n == 0 {
		return dst, errors.New("opus made an empty packet: send silence or restart the stream")
	}
	return append(dst, e.packet[:n]...), nil
}

// Lookahead returns 120: 2.5 ms of overlap between frames.
func (e *opusEncoder) Lookahead() int { return e.enc.Lookahead() }

// SetBitrate implements Steered.
func (e *opusEncoder) SetBitrate(bitrate int) error {
	if err := e.enc.SetBitrate(bitrate); err != nil {
		return fmt.Errorf("opus at %d bit/s: %w", bitrate, err)
	}
	return nil
}

type opusDecoder struct {
	shape
	dec *gopus.Decoder
}

func newOpusDecoder(p Params) (*opusDecoder, error) {
	if p.Channels > 2 {
		return nil, opusChannels(p.Channels)
	}
	dec, err := gopus.NewDecoder(gopus.DecoderConfig{
		SampleRate: Rate, Channels: p.Channels, MaxPacketSamples: opusLongest, MaxPacketBytes: MaxPayload,
	})
	if err != nil {
		return nil, fmt.Errorf("open opus decoder: %w", err)
	}
	return &opusDecoder{shape: p.shape(), dec: dec}, nil
}

func (d *opusDecoder) Decode(pcm []float32, payload []byte) (int, error) {
	frames, err := opusFrames(payload)
	if err != nil {
		return 0, err
	}
	if err := d.checkOutput(frames, len(pcm)); err != nil {
		return 0, err
	}
	n, err := d.dec.Decode(payload, pcm[:frames*d.channels])
	if err != nil {
		return 0, fmt.Errorf("decode opus: %w: drop it", err)
	}
	if n != frames {
		return 0, fmt.Errorf("opus decoded %d frames where its header says %d: drop it", n, frames)
	}
	return n, nil
}

// Conceal continues the sound of the last packet and fades it out. The number
// of frames must be a multiple of 2.5 ms (120 frames).
func (d *opusDecoder) Conceal(pcm []float32, frames int) (int, error) {
	if frames <= 0 || frames%opusStep != 0 || frames > MaxFrames || frames*d.channels > len(pcm) {
		return 0, fmt.Errorf("cannot conceal %d frames into %d samples: ask for whole 2.5 ms, up to 20 ms", frames, len(pcm))
	}
	n, err := d.dec.Decode(nil, pcm[:frames*d.channels])
	if err != nil {
		return 0, fmt.Errorf("conceal opus: %w", err)
	}
	return n, nil
}

func (d *opusDecoder) Reset() { d.dec.Reset() }

// opusFrames returns how many frames at 48 kHz a packet says it holds
// (RFC 6716 section 3.1).
func opusFrames(payload []byte) (int, error) {
	if len(payload) == 0 {
		return 0, errors.New("opus payload is empty: drop it")
	}
	count := 2
	switch payload[0] & 3 {
	case 0:
		count = 1
	case 3:
		if len(payload) < 2 {
			return 0, errors.New("opus payload ends before its frame count: drop it")
		}
		count = int(payload[1] & 0x3f)
	}
	frames := count * gopus.ParseTOC(payload[0]).FrameSize
	if frames == 0 || frames > MaxFrames {
		return 0, fmt.Errorf("opus payload holds %d frames, a packet holds 1 to %d: drop it", frames, MaxFrames)
	}
	return frames, nil
}

func opusChannels(n int) error {
	return fmt.Errorf("opus carries 1 or 2 channels, not %d: use pcm16, pcm24 or flac", n)
}

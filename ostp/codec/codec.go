// Package codec turns audio into OSTP payloads and back: Opus, 16- and 24-bit
// linear PCM, and FLAC, one packet at a time (WIRE section 1, payload types).
//
// Audio is interleaved float32, full scale ±1.0, at 48 kHz; lengths are in
// frames, one sample of every channel. Encoders and decoders keep state from
// packet to packet and are not safe for concurrent use. In steady state neither
// allocates. Decoders accept any bytes a stranger may send: they return an
// error, write only inside the slice they were given, and use bounded memory.
//
// The FLAC coder is our own (RFC 9639): the library at hand works on whole
// streams, allocates for every frame and packs less well; see flacencode.go.
package codec

import (
	"fmt"

	"github.com/tutti-audio/tutti/ostp"
)

// Limits of every codec.
const (
	Rate        = 48000 // frames per second
	MaxFrames   = 960   // frames per packet: 20 ms
	MaxChannels = 8
	MaxPayload  = 12288 // bytes
)

// ParseName returns the payload type to send for a codec's name.
func ParseName(name string) (ostp.PayloadType, error) {
	for _, t := range []ostp.PayloadType{ostp.Opus, ostp.PCM16, ostp.PCM24, ostp.FLAC} {
		if name == t.String() {
			return t, nil
		}
	}
	return 0, fmt.Errorf("codec %q is unknown: choose pcm16, pcm24, opus or flac", name)
}

// Encoder turns one packet's worth of audio into a payload.
type Encoder interface {
	// Append encodes pcm, exactly Params.Frames frames, and appends the payload
	// to dst. Samples beyond full scale are clipped and NaN becomes silence. On
	// an error it returns dst as it was.
	Append(dst []byte, pcm []float32) ([]byte, error)
}

// Lookahead is implemented by encoders whose decoder's output lags the input.
type Lookahead interface {
	// Lookahead returns the lag in frames: frame n of the input leaves the
	// decoder as its frame n + Lookahead().
	Lookahead() int
}

// Decoder turns payloads into audio.
type Decoder interface {
	// Decode writes the payload's audio to pcm and returns the frames written.
	// When Params.Frames is set, a payload of another length is an error. After
	// an error the contents of pcm are undefined and the packet counts as lost.
	Decode(pcm []float32, payload []byte) (frames int, err error)
	// Conceal writes a guess at the given number of lost frames to pcm and
	// returns how many it wrote; 0 means that this codec cannot guess and the
	// caller conceals.
	Conceal(pcm []float32, frames int) (int, error)
	// Reset forgets all earlier packets, for the start of another stream.
	Reset()
}

// Params describes one direction of a stream. The zero value of a field that
// names a default means that default.
type Params struct {
	Type     ostp.PayloadType
	Channels int // 1 to 8; Opus 1 or 2
	// Frames per packet, 1 to MaxFrames; FLAC at least 16; Opus 120, 240, 480
	// or 960. A decoder may leave it 0 to accept every length that fits.
	Frames  int
	Bitrate int // Opus encoder, bit/s, 32000 to 320000; default 128000
	Bits    int // FLAC encoder, 16 or 24; default 24. A decoder reads both.
	// NoDither makes 16-bit encoders round instead of adding dither. Dither is
	// left out anyway for packets that are on the 16-bit grid already.
	NoDither bool
	Seed     uint64 // of the dither's generator
}

// Steered is an encoder whose bitrate can be changed between packets: Opus.
type Steered interface {
	SetBitrate(bitsPerSecond int) error
}

// NewEncoder returns an encoder for p.
func NewEncoder(p Params) (Encoder, error) {
	if err := p.check(1); err != nil {
		return nil, err
	}
	switch p.Type {
	case ostp.PCM16, ostp.PCM24:
		return newPCMEncoder(p)
	case ostp.Opus:
		return newOpusEncoder(p)
	case ostp.FLAC:
		return newFLACEncoder(p)
	}
	return nil, fmt.Errorf("cannot encode %v: choose pcm16, pcm24, opus or flac", p.Type)
}

// NewDecoder returns a decoder for p.
func NewDecoder(p Params) (Decoder, error) {
	if err := p.check(0); err != nil {
		return nil, err
	}
	switch p.Type {
	case ostp.PCM16, ostp.PCM24:
		return &pcmDecoder{shape: p.shape(), bytes: p.sampleBytes()}, nil
	case ostp.Opus, ostp.Opus111, ostp.Opus112:
		return newOpusDecoder(p)
	case ostp.FLAC:
		return newFLACDecoder(p), nil
	}
	return nil, fmt.Errorf("cannot decode %v: this build plays pcm16, pcm24, opus and flac; ask the sender for one of them", p.Type)
}

// check refuses what no codec can do; minFrames is 1 where Frames is required.
func (p Params) check(minFrames int) error {
	if p.Channels < 1 || p.Channels > MaxChannels {
		return fmt.Errorf("%d channels: a stream has 1 to %d", p.Channels, MaxChannels)
	}
	if p.Frames < minFrames || p.Frames > MaxFrames {
		return fmt.Errorf("%d frames per packet: choose %d to %d (at most 20 ms)", p.Frames, minFrames, MaxFrames)
	}
	return nil
}

// sampleBytes returns the bytes of one PCM sample of p.Type.
func (p Params) sampleBytes() int {
	if p.Type == ostp.PCM16 {
		return 2
	}
	return 3
}

// shape is how many channels and frames a packet has.
type shape struct {
	channels, frames int // frames may be 0: any
}

func (p Params) shape() shape { return shape{p.Channels, p.Frames} }

// checkInput refuses pcm that is not one packet.
func (s shape) checkInput(pcm []float32) error {
	if len(pcm) != s.channels*s.frames {
		return fmt.Errorf("%d samples to encode: this encoder takes %d frames of %d channels at a time", len(pcm), s.frames, s.channels)
	}
	return nil
}

// checkOutput refuses a payload of the given frames that was not agreed on or
// that would not fit into room samples.
func (s shape) checkOutput(frames, room int) error {
	if s.frames != 0 && frames != s.frames {
		return fmt.Errorf("payload holds %d frames where the stream has %d per packet: drop it", frames, s.frames)
	}
	if frames*s.channels > room {
		return fmt.Errorf("payload holds %d frames of %d channels, room is for %d samples: give a larger buffer", frames, s.channels, room)
	}
	return nil
}

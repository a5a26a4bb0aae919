package codec

import (
	"testing"

	"github.com/tutti-audio/tutti/ostp"
)

// fuzzDecoder feeds payload to a decoder of p and checks that it keeps inside
// its buffer, reports a length that fits, and works on afterwards.
func fuzzDecoder(t *testing.T, p Params, payload []byte) {
	d, err := NewDecoder(p)
	if err != nil {
		t.Fatal(err)
	}
	const guard = 12345.5
	size := p.Channels * MaxFrames
	buf := make([]float32, size+64)
	for i := size; i < len(buf); i++ {
		buf[i] = guard
	}
	for range 2 {
		n, err := d.Decode(buf[:size], payload)
		if err == nil && (n <= 0 || n > MaxFrames || p.Frames != 0 && n != p.Frames) {
			t.Fatalf("%d frames without an error", n)
		}
		if _, err := d.Conceal(buf[:size], 240); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range buf[size:] {
		if x != guard {
			t.Fatal("wrote beyond the buffer")
		}
	}
}

func seed(f *testing.F, p Params, flips int) {
	e, err := NewEncoder(p)
	if err != nil {
		f.Fatal(err)
	}
	payload, err := e.Append(nil, music(p.Frames, p.Channels, 5))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint8(p.Channels), payload)
	f.Add(uint8(p.Channels), payload[:len(payload)/2])
	for i := range flips {
		bad := append([]byte(nil), payload...)
		bad[i*len(bad)/flips] ^= 1 << (i % 8)
		f.Add(uint8(p.Channels), bad)
	}
}

func FuzzPCM(f *testing.F) {
	seed(f, Params{Type: ostp.PCM16, Channels: 2, Frames: 48}, 1)
	seed(f, Params{Type: ostp.PCM24, Channels: 8, Frames: 120}, 1)
	f.Fuzz(func(t *testing.T, channels uint8, payload []byte) {
		p := Params{Type: ostp.PCM16, Channels: int(channels%MaxChannels) + 1}
		fuzzDecoder(t, p, payload)
		p.Type, p.Frames = ostp.PCM24, 48
		fuzzDecoder(t, p, payload)
	})
}

func FuzzOpus(f *testing.F) {
	for _, frames := range []int{120, 960} {
		seed(f, Params{Type: ostp.Opus, Channels: 1, Frames: frames}, 16)
		seed(f, Params{Type: ostp.Opus, Channels: 2, Frames: frames}, 16)
	}
	f.Fuzz(func(t *testing.T, channels uint8, payload []byte) {
		fuzzDecoder(t, Params{Type: ostp.Opus, Channels: int(channels%2) + 1}, payload)
	})
}

// FuzzFLAC mends the check sums, so that damage reaches the subframes.
func FuzzFLAC(f *testing.F) {
	for _, bits := range []int{16, 24} {
		for _, channels := range []int{1, 2, 3} {
			for _, frames := range []int{48, 240, 960} {
				seed(f, Params{Type: ostp.FLAC, Channels: channels, Frames: frames, Bits: bits}, 12)
			}
		}
	}
	crc := newFLACCRC()
	f.Fuzz(func(t *testing.T, channels uint8, payload []byte) {
		p := Params{Type: ostp.FLAC, Channels: int(channels%MaxChannels) + 1}
		fuzzDecoder(t, p, payload)
		if len(payload) < 9 {
			return
		}
		fixed := append([]byte(nil), payload...)
		for at := 5; at <= 8; at++ {
			copy(fixed, payload)
			fixed[at] = crc.sum8(fixed[:at])
			sum := crc.sum16(fixed[:len(fixed)-2])
			fixed[len(fixed)-2], fixed[len(fixed)-1] = byte(sum>>8), byte(sum)
			fuzzDecoder(t, p, fixed)
		}
	})
}

package codec

import (
	"fmt"
	"testing"

	"github.com/tutti-audio/tutti/ostp"
)

// steady lists the streams whose cost is measured.
func steady() []Params {
	return []Params{
		{Type: ostp.PCM16, Channels: 2, Frames: 48},
		{Type: ostp.PCM16, Channels: 2, Frames: 240},
		{Type: ostp.PCM24, Channels: 2, Frames: 240},
		{Type: ostp.Opus, Channels: 2, Frames: 120, Bitrate: 128000},
		{Type: ostp.Opus, Channels: 2, Frames: 960, Bitrate: 128000},
		{Type: ostp.Opus, Channels: 1, Frames: 480, Bitrate: 64000},
		{Type: ostp.FLAC, Channels: 2, Frames: 240, Bits: 16},
		{Type: ostp.FLAC, Channels: 2, Frames: 960, Bits: 24},
	}
}

func name(p Params) string {
	return fmt.Sprintf("%v/%dch/%d", p.Type, p.Channels, p.Frames)
}

func TestNoAllocationPerPacket(t *testing.T) {
	for _, p := range steady() {
		e, d := mustPair(t, p)
		pcm := music(p.Frames*16, p.Channels, 1)
		out := make([]float32, p.Frames*p.Channels)
		buf := make([]byte, 0, MaxPayload)
		k := 0
		cycle := func() {
			at := k % 16 * len(out)
			k++
			payload, err := e.Append(buf, pcm[at:at+len(out)])
			if err == nil {
				_, err = d.Decode(out, payload)
			}
			if err == nil && k%8 == 0 {
				_, err = d.Conceal(out, p.Frames)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for range 50 {
			cycle()
		}
		if n := testing.AllocsPerRun(200, cycle); n != 0 {
			t.Errorf("%s: %g allocations per packet", name(p), n)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, p := range steady() {
		b.Run(name(p), func(b *testing.B) {
			e, _ := mustPair(b, p)
			n := p.Frames * p.Channels
			pcm := music(p.Frames*64, p.Channels, 1)
			buf := make([]byte, 0, MaxPayload)
			b.ReportAllocs()
			for k := 0; b.Loop(); k++ {
				if _, err := e.Append(buf, pcm[k%64*n:k%64*n+n]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, p := range steady() {
		b.Run(name(p), func(b *testing.B) {
			e, d := mustPair(b, p)
			n := p.Frames * p.Channels
			pcm := music(p.Frames*64, p.Channels, 1)
			payloads := make([][]byte, 64)
			for k := range payloads {
				var err error
				if payloads[k], err = e.Append(nil, pcm[k*n:k*n+n]); err != nil {
					b.Fatal(err)
				}
			}
			out := make([]float32, n)
			b.ReportAllocs()
			for k := 0; b.Loop(); k++ {
				if _, err := d.Decode(out, payloads[k%64]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

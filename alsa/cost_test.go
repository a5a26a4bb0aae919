package alsa_test

import (
	"testing"
	"time"

	"github.com/tutti-audio/tutti/alsa"
	"github.com/tutti-audio/tutti/alsa/alsatest"
)

// Playing allocates nothing.
func TestAllocations(t *testing.T) {
	for _, noMap := range []bool{false, true} {
		p := newPlayer(t, &alsatest.Card{NoMap: noMap})
		buffer := make([]float32, 2*480)
		if n := testing.AllocsPerRun(100, func() {
			p.clock.pass(10 * time.Millisecond)
			s, _ := p.pcm.Status(0)
			_, _ = p.pcm.Write(s.Frames, buffer)
		}); n != 0 {
			t.Errorf("no map %v: %v allocations a turn", noMap, n)
		}
	}
}

// BenchmarkWrite is what storing 10 ms costs.
func BenchmarkWrite(b *testing.B) {
	for name, format := range map[string]uint32{"S32": 10, "S16": 2} {
		b.Run(name, func(b *testing.B) {
			c := clock{ns: 1e9}
			k := alsatest.Kernel{Now: c.now}
			k.Plug(&alsatest.Card{Formats: []uint32{format}})
			p, err := alsa.OpenPlayback(&k, alsa.Address{Subdevice: -1}, config())
			if err != nil {
				b.Fatal(err)
			}
			buffer := make([]float32, 2*480)
			fill(buffer, 0)
			for b.Loop() {
				_, _ = p.Write(0, buffer)
			}
		})
	}
}

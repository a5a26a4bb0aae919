package servo

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/sync/timebase"
)

// fake is a card with a crystal, a granularity and late time stamps.
type fake struct {
	rng         *rand.Rand
	ppm         float64
	granularity int64
	lateness    time.Duration // mean, exponential
	start       timebase.Local
}

func (f *fake) truth(l timebase.Local) float64 {
	return float64(l-f.start) * 1e-9 * 48000 * (1 + f.ppm*1e-6)
}

func (f *fake) read(l timebase.Local) Reading {
	n := int64(f.truth(l)) / f.granularity * f.granularity
	return Reading{Played: timebase.Card(n), At: l.Add(time.Duration(f.rng.ExpFloat64() * float64(f.lateness)))}
}

// wrong is how far the estimate is off, in seconds of time.
func (f *fake) wrong(c *Card, l timebase.Local) time.Duration {
	return time.Duration((c.FrameAt(l) - f.truth(l)) / 48000 * 1e9).Abs()
}

func TestCardAccuracy(t *testing.T) {
	for _, test := range []struct {
		name        string
		granularity int64
		lateness    time.Duration
		settle      time.Duration
		limit       time.Duration
	}{
		{"one frame, at once", 1, 10 * time.Microsecond, 200 * time.Millisecond, 40 * time.Microsecond},
		{"one frame", 1, 10 * time.Microsecond, 20 * time.Second, 3 * time.Microsecond},
		{"16 frames, at once", 16, 20 * time.Microsecond, 300 * time.Millisecond, 120 * time.Microsecond},
		{"16 frames", 16, 20 * time.Microsecond, 20 * time.Second, 12 * time.Microsecond},
		{"48 frames", 48, 50 * time.Microsecond, 60 * time.Second, 15 * time.Microsecond},
		{"480 frames", 480, 100 * time.Microsecond, 60 * time.Second, 150 * time.Microsecond},
	} {
		worst, bound, outside := time.Duration(0), time.Duration(0), 0
		for seed := range uint64(4) {
			f := &fake{rng: rand.New(rand.NewPCG(seed, 2)), ppm: []float64{120, -150, 0, 300}[seed], granularity: test.granularity, lateness: test.lateness, start: 7e9}
			c := NewCard(48000, 0, 0)
			for l := f.start; l < f.start.Add(test.settle+20*time.Second); l = l.Add(5*time.Millisecond + time.Duration(f.rng.Int64N(1e6))) {
				c.Add(f.read(l))
				if l.Sub(f.start) < test.settle {
					continue
				}
				off := f.wrong(c, l.Add(10*time.Millisecond))
				worst, bound = max(worst, off), max(bound, c.Bound())
				if off > c.Bound() {
					outside++
				}
			}
		}
		t.Logf("%s: worst %v (bound up to %v), outside the bound %d times", test.name, worst, bound, outside)
		if worst > test.limit || outside > 0 {
			t.Errorf("%s: worst %v (limit %v), outside the bound %d times", test.name, worst, test.limit, outside)
		}
	}
}

// TestCardBadReadings: single absurd readings are refused, a real break is taken
// up, and the rate survives it.
func TestCardBadReadings(t *testing.T) {
	f := &fake{rng: rand.New(rand.NewPCG(9, 9)), ppm: 120, granularity: 4, lateness: 10 * time.Microsecond}
	c := NewCard(48000, 0, 0)
	l := timebase.Local(0)
	step := func(n int) {
		for range n {
			l += 5e6
			c.Add(f.read(l))
		}
	}
	step(3000)
	for _, leap := range []timebase.Card{1000, -9000, 480} {
		r := f.read(l)
		r.Played += leap
		if c.Add(r) {
			t.Errorf("a reading %d frames off is believed", leap)
		}
		if off := f.wrong(c, l); off > 10*time.Microsecond {
			t.Errorf("off by %v after a reading %d frames off", off, leap)
		}
		step(3)
	}
	f.start += 50e6 // the card stood still for 50 ms: within what a card may fall behind
	f.start += 200e6
	l += 300e6
	step(suspectRun)
	if ppm, _ := c.PPM(); math.Abs(ppm-120) > 3 {
		t.Errorf("rate after the break %.1f ppm, want 120", ppm)
	}
	if off := f.wrong(c, l); off > 100*time.Microsecond {
		t.Errorf("off by %v after the break", off)
	}
}

func TestCardNoAllocations(t *testing.T) {
	f := &fake{rng: rand.New(rand.NewPCG(1, 1)), granularity: 16, lateness: time.Microsecond}
	c := NewCard(48000, 0, 0)
	l := timebase.Local(0)
	if n := testing.AllocsPerRun(5000, func() { l += 5e6; c.Add(f.read(l)) }); n != 0 {
		t.Errorf("%v allocations per reading, want 0", n)
	}
}

func BenchmarkCardAdd(b *testing.B) {
	f := &fake{rng: rand.New(rand.NewPCG(1, 1)), granularity: 16, lateness: time.Microsecond}
	c := NewCard(48000, 0, 0)
	l := timebase.Local(0)
	for b.Loop() {
		l += 5e6
		c.Add(f.read(l))
	}
}

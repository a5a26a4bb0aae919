package offset

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/sync/timebase"
)

// world is a house clock that runs drift fast against local time, and a network.
type world struct {
	rng   *rand.Rand
	epoch timebase.House
	drift float64
	delay func(*rand.Rand) time.Duration
}

func (w *world) house(l timebase.Local) timebase.House {
	return w.epoch + timebase.House(l) + timebase.House(float64(l)*w.drift)
}

func (w *world) exchange(at timebase.Local) Exchange {
	t2 := at.Add(w.delay(w.rng))
	t3 := t2.Add(20 * time.Microsecond)
	return Exchange{T1: at, T2: w.house(t2), T3: w.house(t3), T4: t3.Add(w.delay(w.rng))}
}

func (w *world) wrong(e Estimate, l timebase.Local) time.Duration {
	return e.HouseAt(l).Sub(w.house(l)).Abs()
}

func wired(r *rand.Rand) time.Duration {
	return 60*time.Microsecond + time.Duration(r.ExpFloat64()*8000)
}

func wireless(r *rand.Rand) time.Duration {
	return 2*time.Millisecond + time.Duration(r.Float64()*6e6)
}

func newWorld(seed uint64, delay func(*rand.Rand) time.Duration) *world {
	return &world{rng: rand.New(rand.NewPCG(seed, 1)), epoch: 1_763_800_000e9, drift: 80e-6, delay: delay}
}

// run feeds a burst of eight exchanges and then eight a second, and returns the
// worst and the typical error from settle on.
func run(w *world, f *Filter, settle, length time.Duration) (worst, rms time.Duration, outside int) {
	var sum float64
	n := 0
	step := 12 * time.Millisecond
	for i, at := 0, timebase.Local(1e9); at < timebase.Local(1e9).Add(length); i++ {
		f.Add(w.exchange(at))
		e := f.Estimate()
		if at.Sub(1e9) >= settle {
			off := w.wrong(e, at.Add(step))
			worst = max(worst, off)
			sum += float64(off) * float64(off)
			n++
			if off > e.Bound(at.Add(step)) {
				outside++
			}
		}
		if i == 8 {
			step = 125 * time.Millisecond
		}
		at = at.Add(step)
	}
	return worst, time.Duration(math.Sqrt(sum / float64(n))), outside
}

func TestAccuracy(t *testing.T) {
	for _, test := range []struct {
		name           string
		delay          func(*rand.Rand) time.Duration
		settle, length time.Duration
		worst, rms     time.Duration
	}{
		{"wired, after the burst", wired, 90 * time.Millisecond, 10 * time.Second, 15 * time.Microsecond, 4 * time.Microsecond},
		{"wired, a quarter of an hour", wired, 30 * time.Second, 15 * time.Minute, 4 * time.Microsecond, 1 * time.Microsecond},
		{"5±3 ms, after the burst", wireless, 90 * time.Millisecond, 10 * time.Second, 2 * time.Millisecond, 700 * time.Microsecond},
		{"5±3 ms, a quarter of an hour", wireless, 60 * time.Second, 15 * time.Minute, 250 * time.Microsecond, 70 * time.Microsecond},
	} {
		for seed := range uint64(5) {
			worst, rms, outside := run(newWorld(seed, test.delay), new(Filter), test.settle, test.length)
			t.Logf("%s, seed %d: worst %v, rms %v, outside the bound %d times", test.name, seed, worst, rms, outside)
			if worst > test.worst || rms > test.rms || outside > 0 {
				t.Errorf("%s, seed %d: worst %v (limit %v), rms %v (limit %v), outside the bound %d times",
					test.name, seed, worst, test.worst, rms, test.rms, outside)
			}
		}
	}
}

func TestHoldover(t *testing.T) {
	w, f := newWorld(3, wired), new(Filter)
	run(w, f, 0, 2*time.Minute)
	last := f.Estimate().At
	for _, gap := range []time.Duration{time.Second, time.Minute, 10 * time.Minute} {
		off, bound := w.wrong(f.Estimate(), last.Add(gap)), f.Estimate().Bound(last.Add(gap))
		if off > bound {
			t.Errorf("%v without exchanges: off by %v, bound %v", gap, off, bound)
		}
		t.Logf("%v without exchanges: off by %v, bound %v", gap, off, bound)
	}
}

// TestClockStopped: the host slept for a minute while its clock stood still.
func TestClockStopped(t *testing.T) {
	w, f := newWorld(4, wired), new(Filter)
	run(w, f, 0, time.Minute)
	w.epoch += 60e9
	at := timebase.Local(62e9)
	for range 3 {
		if f.Add(w.exchange(at)) {
			t.Fatal("a sample a minute off is believed")
		}
		at += 50e6
	}
	f.Add(w.exchange(at))
	if off := w.wrong(f.Estimate(), at); off > 50*time.Microsecond || f.Resets() != 1 {
		t.Errorf("off by %v after %d resets, want 50µs after 1", off, f.Resets())
	}
}

func TestEstimateInverts(t *testing.T) {
	e := Estimate{At: 5e9, House: 1_763_800_000e9, Drift: 93e-6}
	for _, l := range []timebase.Local{0, 5e9, 700e9, 90_000e9} {
		if got := e.LocalAt(e.HouseAt(l)); got-l > 1 || l-got > 1 {
			t.Errorf("LocalAt(HouseAt(%d)) = %d", l, got)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	w, f := newWorld(5, wired), new(Filter)
	run(w, f, 0, 5*time.Minute)
	at := f.Estimate().At
	if n := testing.AllocsPerRun(1000, func() { at += 125e6; f.Add(w.exchange(at)) }); n != 0 {
		t.Errorf("%v allocations per exchange, want 0", n)
	}
}

func BenchmarkAdd(b *testing.B) {
	w, f := newWorld(5, wired), new(Filter)
	run(w, f, 0, 5*time.Minute)
	at := f.Estimate().At
	for b.Loop() {
		at += 125e6
		f.Add(w.exchange(at))
	}
}

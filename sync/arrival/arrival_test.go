package arrival

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/sync/offset"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const packet = 20 * time.Millisecond

// path is a way that packets take: a constant, and queues.
type path struct {
	random *rand.Rand
	least  time.Duration
	queue  time.Duration // mean
	ppm    float64       // by which the sender's clock is fast
	sent   timebase.House
	last   timebase.Local
}

func newPath(seed uint64, least, queue time.Duration, ppm float64) *path {
	return &path{random: rand.New(rand.NewPCG(seed, 1)), least: least, queue: queue, ppm: ppm, sent: 1e18}
}

// left returns when house time h is, and next the next packet and its arrival.
func (p *path) left(h timebase.House) timebase.Local {
	return timebase.Local(5e9 + float64(h-1e18)/(1+p.ppm*1e-6))
}

func (p *path) next() (sent timebase.House, at timebase.Local) {
	p.sent = p.sent.Add(packet)
	way := p.least + time.Duration(float64(p.queue)*p.random.ExpFloat64())
	p.last = max(p.last, p.left(p.sent).Add(way)) // in order
	return p.sent, p.last
}

// The clock runs with the sender's and no delay is below 0, whatever the queues.
func TestClock(t *testing.T) {
	for _, c := range []struct {
		queue     time.Duration
		ppm       float64
		off, rate float64 // µs, ppm
	}{{200 * time.Microsecond, 80, 100, 5}, {5 * time.Millisecond, -120, 1500, 25}, {30 * time.Millisecond, 40, 5000, 60}} {
		p := newPath(7, 40*time.Millisecond, c.queue, c.ppm)
		var clock Clock
		for range 6000 {
			clock.Add(p.next())
		}
		drift := clock.Estimate(p.last).Drift*1e6 - c.ppm
		off := float64(clock.HouseAt(p.last).Sub(clock.sentAt(p)))/1e3 + 40e3
		t.Logf("queues of %v: off by %.0f µs, %.1f ppm; 99 %% within %v", c.queue, off, drift, clock.Delay(0.01))
		if math.Abs(drift) > c.rate || math.Abs(off) > c.off {
			t.Errorf("queues of %v: off by %.0f µs and %.1f ppm", c.queue, off, drift)
		}
		if want := c.queue.Seconds() * math.Log(100); math.Abs(clock.Delay(0.01).Seconds()-want) > 0.3*want+0.002 {
			t.Errorf("queues of %v: 99 %% within %v, want %.3f s", c.queue, clock.Delay(0.01), want)
		}
		if clock.Shifts() != 0 {
			t.Errorf("queues of %v: %d shifts", c.queue, clock.Shifts())
		}
	}
}

// sentAt is the sender's true time at the last arrival.
func (c *Clock) sentAt(p *path) timebase.House {
	return timebase.House(1e18 + float64(p.last-5e9)*(1+p.ppm*1e-6))
}

// A path that becomes quicker or slower is noticed, and who follows the clock is led
// over without a step.
func TestShift(t *testing.T) {
	for _, by := range []time.Duration{-25 * time.Millisecond, 60 * time.Millisecond} {
		p := newPath(3, 80*time.Millisecond, 2*time.Millisecond, 50)
		var clock Clock
		var follow offset.Follower
		var before offset.Estimate
		for i := range 9000 {
			if i == 2000 {
				p.least += by
			}
			clock.Add(p.next())
			at := p.last
			e := follow.Follow(clock.Estimate(at), at, offset.Gently)
			if i > 100 {
				if step := e.HouseAt(at).Sub(before.HouseAt(at)); step != 0 {
					t.Fatalf("a step of %v at packet %d", step, i)
				}
				if fast := math.Abs(e.Drift - 50e-6); fast > offset.MaxLead+mostDrift {
					t.Fatalf("led at %.0f ppm", fast*1e6)
				}
			}
			before = e
		}
		if clock.Shifts() == 0 || clock.Shifts() > 3 {
			t.Errorf("shift by %v: seen %d times", by, clock.Shifts())
		}
		if off := time.Duration(clock.sentAt(p)-clock.HouseAt(p.last)) - p.least; off < -2*time.Millisecond || off > 2*time.Millisecond {
			t.Errorf("shift by %v: off by %v", by, off)
		}
		if wrong := follow.Wrong(clock.Estimate(p.last), p.last); wrong > 5*time.Millisecond || follow.Leaps() != 0 {
			t.Errorf("shift by %v: still %v off, %d leaps", by, wrong, follow.Leaps())
		}
	}
}

// A burst of late packets is no shift.
func TestStall(t *testing.T) {
	p := newPath(5, 20*time.Millisecond, time.Millisecond, 0)
	var clock Clock
	for i := range 3000 {
		sent, at := p.next()
		if i%300 > 290 { // held for up to 200 ms, as by a power-saving network
			at = at.Add(time.Duration(300-i%300) * packet)
			p.last = at
		}
		clock.Add(sent, at)
	}
	if clock.Shifts() != 0 {
		t.Errorf("%d shifts", clock.Shifts())
	}
}

func TestNoAlloc(t *testing.T) {
	p := newPath(5, 20*time.Millisecond, time.Millisecond, 0)
	var clock Clock
	if n := testing.AllocsPerRun(500, func() { clock.Add(p.next()) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

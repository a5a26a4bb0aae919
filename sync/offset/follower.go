package offset

import (
	"math"
	"time"

	"github.com/tutti-audio/tutti/sync/timebase"
)

// Known returns an estimate that was made elsewhere: house time at an instant, the
// drift, how many samples stand behind it, and the standard deviation of house in
// seconds.
func Known(at timebase.Local, house timebase.House, drift float64, samples int, sigma float64) Estimate {
	return Estimate{At: at, House: house, Drift: drift, Samples: samples, varOffset: sigma * sigma}
}

// Moved returns the estimate with house time later by d.
func (e Estimate) Moved(d time.Duration) Estimate {
	e.House = e.House.Add(d)
	return e
}

// Through returns the estimate of another clock, which shows there when house time is
// from, and gains drift seconds in each of the house's.
func (e Estimate) Through(from, there timebase.House, drift float64) Estimate {
	since := e.House - from
	e.House = there + since + timebase.House(math.Round(float64(since)*drift))
	e.Drift = (1+e.Drift)*(1+drift) - 1
	return e
}

const (
	// MaxLead is how fast a Follower goes from one estimate to another, as a ratio:
	// a change of pitch by less than a cent, which is not heard, and slow enough for
	// servo.Timeline to follow without a jump.
	MaxLead = 500e-6
	// LeapBeyond is the difference that a Follower leaps rather than leads over.
	LeapBeyond = 250 * time.Millisecond

	leadTime = 2.0 // seconds; the last of the difference goes exponentially
)

// Follower leads playout from one idea of house time to another without a step:
// when a path becomes quicker, when another path takes over, when more must be
// buffered. What it returns is the goal, but for a difference that shrinks at no
// more than MaxLead. The zero value is ready.
type Follower struct {
	estimate Estimate
	leaps    int
}

// Follow returns the estimate to play by from l on. It is called often: between two
// calls playout goes as the first said.
func (f *Follower) Follow(goal Estimate, l timebase.Local) Estimate {
	if goal.Samples == 0 {
		return f.estimate
	}
	wrong := goal.HouseAt(l).Sub(f.estimate.HouseAt(l))
	if f.estimate.Samples == 0 || wrong > LeapBeyond || wrong < -LeapBeyond {
		if f.estimate.Samples > 0 {
			f.leaps++
		}
		f.estimate = goal
		return goal
	}
	lead := min(max(wrong.Seconds()/leadTime, -MaxLead), MaxLead)
	next := goal
	next.At, next.House = l, f.estimate.HouseAt(l)
	next.Drift = goal.Drift + lead
	next.varOffset = goal.sigma(l) * goal.sigma(l)
	f.estimate = next
	return next
}

// Set makes e what is played by, as it is.
func (f *Follower) Set(e Estimate) { f.estimate = e }

// Wrong returns how far what is played by is from the goal at l, in house time; 0
// when nothing is.
func (f *Follower) Wrong(goal Estimate, l timebase.Local) time.Duration {
	if f.estimate.Samples == 0 {
		return 0
	}
	return time.Duration(math.Abs(float64(goal.HouseAt(l).Sub(f.estimate.HouseAt(l)))))
}

// Leaps counts differences that were leapt.
func (f *Follower) Leaps() int { return f.leaps }

package offset

import (
	"math"
	"time"

	"github.com/tutti-audio/tutti/sync/timebase"
)

const (
	// MaxLead is how fast a Follower goes from one estimate to another, as a ratio:
	// a change of pitch by less than a cent, which is not heard.
	MaxLead = 500e-6
	// LeapBeyond is the difference that a Follower leaps rather than leads over.
	LeapBeyond = 250 * time.Millisecond
	// StepBeyond is the one where it goes AtOnce.
	StepBeyond = 2 * time.Millisecond
	// Arrived is the difference that a player's own servo takes over.
	Arrived = 2 * time.Microsecond
)

// Pace is how a difference is led over.
type Pace int

// The paces: Gently for goals that wander themselves, Swiftly for exact ones, and AtOnce
// for when what plays has only just begun, and a step is heard less than being led for
// minutes: what is left under it takes two seconds at 1.7 cent.
const (
	Gently Pace = iota
	Swiftly
	AtOnce
)

// limits returns the time constant, in seconds, with which the last of a difference
// goes, how fast it goes at most, as a ratio, and beyond what it is leapt.
func (p Pace) limits() (within, most float64, leap time.Duration) {
	switch p {
	case Swiftly:
		return 0.25, MaxLead, LeapBeyond
	case AtOnce:
		return 0.25, 2 * MaxLead, StepBeyond
	}
	return 2, MaxLead, LeapBeyond
}

// Follower leads playout from one idea of house time to another without a step:
// when a path becomes quicker, when another path takes over, when more must be
// buffered. What it returns is the goal, but for a difference that shrinks at no
// more than a pace. The zero value is ready.
type Follower struct {
	estimate Estimate
	leaps    int
}

// Follow returns the estimate to play by from l on. It is called several
// times in 0.25 s: between two calls playout goes as the first said.
func (f *Follower) Follow(goal Estimate, l timebase.Local, p Pace) Estimate {
	if goal.Samples == 0 {
		return f.estimate
	}
	wrong := goal.HouseAt(l).Sub(f.estimate.HouseAt(l))
	within, most, leap := p.limits()
	if f.estimate.Samples == 0 || wrong.Abs() > leap {
		if f.estimate.Samples > 0 {
			f.leaps++
		}
		f.estimate = goal
		return goal
	}
	lead := min(max(wrong.Seconds()/within, -most), most)
	next := goal
	next.At, next.House = l, f.estimate.HouseAt(l)
	next.Drift, next.Led = goal.Drift+lead, goal.Led+lead
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

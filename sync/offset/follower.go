package offset

import (
	"math"
	"time"

	"github.com/tutti-audio/tutti/sync/timebase"
)

const (
	// MaxLead is how fast a Follower goes from one estimate to another, as a ratio:
	// a change of pitch by less than a cent, which is not heard, and slow enough for
	// servo.Timeline to follow without a jump.
	MaxLead = 500e-6
	// LeapBeyond is the difference that a Follower leaps rather than leads over.
	LeapBeyond = 250 * time.Millisecond

	// Gently and Swiftly are how long the last of a difference takes, which goes
	// exponentially: gently where the goal itself wanders.
	Gently  = 2 * time.Second
	Swiftly = 250 * time.Millisecond
)

// Follower leads playout from one idea of house time to another without a step:
// when a path becomes quicker, when another path takes over, when more must be
// buffered. What it returns is the goal, but for a difference that shrinks at no
// more than MaxLead. The zero value is ready.
type Follower struct {
	estimate Estimate
	leaps    int
}

// Follow returns the estimate to play by from l on, Gently or Swiftly. It is called
// more often than that: between two calls playout goes as the first said.
func (f *Follower) Follow(goal Estimate, l timebase.Local, within time.Duration) Estimate {
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
	lead := min(max(wrong.Seconds()/within.Seconds(), -MaxLead), MaxLead)
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

package netlab

import (
	"math/rand/v2"
	"time"
)

// defaultQueue is Conditions.Queue when it is 0.
const defaultQueue = 100 * time.Millisecond

// due is a frame and the instant, since the link was made, at which it leaves.
type due struct {
	at    time.Duration
	order uint64 // of arrival, to keep frames of one instant in order
	frame []byte
}

// shaper decides the fate of each frame of one direction. It is pure: time is an
// argument, and the same seed and frames give the same result.
type shaper struct {
	c      Conditions
	n      Counts
	rng    *rand.Rand
	order  uint64
	free   time.Duration    // when the line has sent all that waits for it
	last   [2]time.Duration // the latest departure of unicast, and of group traffic
	burst  time.Duration    // a burst of loss lasts until here
	expect time.Duration    // when the next burst begins
}

func newShaper(seed uint64, d Direction) *shaper {
	return &shaper{rng: rand.New(rand.NewPCG(seed, uint64(d)))}
}

// set changes the conditions for the frames that arrive from now on.
func (s *shaper) set(now time.Duration, c Conditions) {
	if c.Queue == 0 {
		c.Queue = defaultQueue
	}
	s.c = c
	s.burst, s.expect = 0, now+s.exponential(c.BurstEvery)
}

// exponential draws a waiting time with the given mean.
func (s *shaper) exponential(mean time.Duration) time.Duration {
	return time.Duration(s.rng.ExpFloat64() * float64(mean))
}

// admit takes a frame that arrived and appends its copies with their departure
// times to out. The frame belongs to the shaper afterwards.
func (s *shaper) admit(now time.Duration, frame []byte, out []due) []due {
	s.n.In++
	group := isGroup(frame)
	if s.dropped(now, frame, group) {
		return out
	}
	at, ok := s.line(now, len(frame))
	if !ok {
		s.n.Overflow++
		return out
	}
	if s.chance(s.c.Corrupt) {
		s.n.Corrupted++
		corrupt(frame, s.rng)
	}
	out = append(out, s.schedule(at, frame, group))
	if s.chance(s.c.Duplicate) {
		s.n.Duplicated++
		out = append(out, s.schedule(at, append([]byte(nil), frame...), group))
	}
	return out
}

// dropped decides whether the frame is lost before it reaches the line.
func (s *shaper) dropped(now time.Duration, frame []byte, group bool) bool {
	switch {
	case group && s.c.BlockMulticast && blocked(frame, s.c.PassDiscovery):
		s.n.Blocked++
	case s.inBurst(now):
		s.n.Burst++
	case s.chance(s.c.Loss):
		s.n.Lost++
	default:
		return false
	}
	return true
}

// inBurst tells whether a burst of loss is on, and draws the bursts.
func (s *shaper) inBurst(now time.Duration) bool {
	if s.c.BurstEvery == 0 {
		return false
	}
	for now >= s.expect {
		s.burst = s.expect + s.c.BurstLength
		s.expect = s.burst + s.exponential(s.c.BurstEvery)
	}
	return now < s.burst
}

// line returns when a frame that arrives now has passed the line, and false when
// too much waits for it.
func (s *shaper) line(now time.Duration, bytes int) (time.Duration, bool) {
	if s.c.Rate == 0 {
		return now, true
	}
	start := max(now, s.free)
	if start-now > s.c.Queue {
		return 0, false
	}
	s.free = start + time.Duration(float64(bytes)*8/s.c.Rate*float64(time.Second))
	return s.free, true
}

// schedule gives the frame its departure.
func (s *shaper) schedule(at time.Duration, frame []byte, group bool) due {
	wait := s.c.Delay
	if s.c.Jitter > 0 {
		wait += time.Duration((2*s.rng.Float64() - 1) * float64(s.c.Jitter))
	}
	at += max(wait, 0)
	class := 0
	if group {
		class = 1
		if b := s.c.Beacon; b > 0 {
			at = (at + b - 1) / b * b
		}
	}
	if !s.c.Reorder {
		at = max(at, s.last[class])
	}
	s.last[class] = max(at, s.last[class])
	s.order++
	return due{at: at, order: s.order, frame: frame}
}

func (s *shaper) chance(p float64) bool { return p > 0 && s.rng.Float64() < p }

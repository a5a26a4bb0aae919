// Package course is how the time of a stream that comes from outside the house runs
// against the clock of the house.
//
// Off the LAN nobody exchanges time with the source: its time is what the quickest
// packets tell (sync/arrival), which wanders, and is moved on purpose when more must be
// buffered. In a house with one gateway none of that may come between the rooms. So the
// house keeps the gateway's clock, to the microsecond, and the gateway says how the
// stream runs against it: as a line of legs, each known to every room before it begins.
// Rooms that bend at the same instant stay together, however much they bend.
//
// A [Course] belongs to one goroutine. Times are house time of the gateway and, for
// Stream, of the source; nothing reads a clock. docs/spec, section 3.
package course

import (
	"math"
	"time"

	"github.com/tutti-audio/tutti/sync/timebase"
)

// Leg is a stretch of a course: at the house's instant From the stream's time is
// Stream, and from there on it gains Drift seconds in each of the house's.
type Leg struct {
	From, Stream timebase.House
	Drift        float64
}

// At returns the stream's time at the house's instant h.
func (l Leg) At(h timebase.House) timebase.House {
	since := h - l.From
	return l.Stream + since + timebase.House(math.Round(float64(since)*l.Drift))
}

// HouseAt is the inverse of At, to the nanosecond.
func (l Leg) HouseAt(stream timebase.House) timebase.House {
	since := stream - l.Stream
	return l.From + since - timebase.House(math.Round(float64(since)*l.Drift/(1+l.Drift)))
}

// kept is how many legs are remembered: reports come up to seconds late.
const kept = 32

// Course is the latest legs. The zero value has none.
type Course struct {
	legs  [kept]Leg
	count int
}

// Add takes a leg in, in any order and as often as it comes. A leg that begins with one
// that is known replaces it.
func (c *Course) Add(l Leg) {
	at := c.count
	for at > 0 && c.legs[at-1].From >= l.From {
		at--
	}
	switch {
	case at < c.count && c.legs[at].From == l.From:
		c.legs[at] = l
		return
	case c.count < kept:
		copy(c.legs[at+1:c.count+1], c.legs[at:c.count])
		c.count++
	case at == 0: // older than all that is kept
		return
	default:
		at--
		copy(c.legs[:at], c.legs[1:at+1])
	}
	c.legs[at] = l
}

// At returns the leg that holds at the house's instant h: before the first, the first.
// ok is false when there is none.
func (c *Course) At(h timebase.House) (l Leg, ok bool) {
	for i := c.count - 1; i >= 0; i-- {
		if c.legs[i].From <= h || i == 0 {
			return c.legs[i], true
		}
	}
	return Leg{}, false
}

// Next returns the leg after the one that holds at h.
func (c *Course) Next(h timebase.House) (l Leg, ok bool) {
	for _, l := range c.legs[:c.count] {
		if l.From > h {
			return l, true
		}
	}
	return Leg{}, false
}

// Latest appends the newest legs, n at most, oldest first.
func (c *Course) Latest(dst []Leg, n int) []Leg {
	return append(dst, c.legs[max(0, c.count-n):c.count]...)
}

// How a course is steered.
const (
	// Every is how long a leg lasts, and Ahead how long before it begins it is made: its
	// news has as long to reach every room.
	Every = 250 * time.Millisecond
	Ahead = 300 * time.Millisecond
	// LeapBeyond is the difference that is leapt: so much at once was decided, because
	// much comes late. LeapAhead is how soon.
	LeapBeyond = 8 * time.Millisecond
	LeapAhead  = 60 * time.Millisecond

	// MaxLead is how fast a difference is mended at most, as a ratio: a change of pitch
	// by less than a cent.
	MaxLead = 500e-6

	leadTime = 4.0   // seconds; the last of a difference goes exponentially
	maxBend  = 50e-6 // between two legs: what a room that bends late is wrong by is little
)

// Steer returns the leg that comes next on the way to a goal, and adds it. now is the
// house's; goal is how the stream's time should run. ok is false while it is not time
// yet. The first leg is the goal itself, at once.
func (c *Course) Steer(now timebase.House, goal Leg) (l Leg, ok bool) {
	if c.count == 0 {
		l = Leg{From: now, Stream: goal.At(now), Drift: goal.Drift}
		c.Add(l)
		return l, true
	}
	last := c.legs[c.count-1]
	if soon := max(now.Add(LeapAhead), last.From+1); goal.At(soon).Sub(last.At(soon)).Abs() > LeapBeyond {
		l = Leg{From: soon, Stream: goal.At(soon), Drift: goal.Drift}
		c.Add(l)
		return l, true
	}
	from := max(last.From.Add(Every), now.Add(Ahead))
	if now < last.From.Add(Every-Ahead) {
		return Leg{}, false
	}
	at := last.At(from)
	lead := min(max(goal.At(from).Sub(at).Seconds()/leadTime, -MaxLead), MaxLead)
	drift := min(max(goal.Drift+lead, last.Drift-maxBend), last.Drift+maxBend)
	l = Leg{From: from, Stream: at, Drift: drift}
	c.Add(l)
	return l, true
}

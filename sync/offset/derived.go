package offset

import (
	"math"
	"time"

	"github.com/tutti-audio/tutti/sync/course"
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

// Through returns the estimate of another clock, which is decided to show there when
// house time is from, and to gain drift seconds in each of the house's.
func (e Estimate) Through(from, there timebase.House, drift float64) Estimate {
	since := e.House - from
	e.House = there + since + timebase.House(math.Round(float64(since)*drift))
	e.Drift = (1+e.Drift)*(1+drift) - 1
	e.Led = (1+e.Led)*(1+drift) - 1
	return e
}

// Bending returns the estimate of a clock that from at on is decided to gain by more
// than until then.
func (e Estimate) Bending(at timebase.Local, by float64) Estimate {
	e.bendAt, e.bend = at, by
	return e
}

// bendOnly is by how much a leg may be off the one before it at its beginning and count
// as its continuation.
const bendOnly = 100 * time.Nanosecond

// Along returns how the time of a stream runs that takes a course against house time,
// around the local instant at: with the next bend, so that rooms which hold more or less
// in their devices bend together. A leap is taken when it is time.
func (e Estimate) Along(c *course.Course, at timebase.Local) Estimate {
	h := e.HouseAt(at)
	l, ok := c.At(h)
	if !ok {
		return e
	}
	stream := e.Through(l.From, l.Stream, l.Drift)
	if next, ok := c.Next(h); ok && next.From > l.From && l.At(next.From).Sub(next.Stream).Abs() < bendOnly {
		stream = stream.Bending(e.LocalAt(next.From), next.Drift-l.Drift)
	}
	return stream
}

// LedAt is Led at the local instant l.
func (e Estimate) LedAt(l timebase.Local) float64 {
	if e.bendAt != 0 && l > e.bendAt {
		return e.Led + e.bend
	}
	return e.Led
}

// bent is what the bend has brought until l, in ns.
func (e Estimate) bent(l timebase.Local) float64 {
	if e.bendAt == 0 || l <= e.bendAt {
		return 0
	}
	return float64(l-e.bendAt) * e.bend
}

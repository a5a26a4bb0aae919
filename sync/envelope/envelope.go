// Package envelope finds the line that lies on top of noisy points whose errors
// all have one sign: readings of a clock that can only seem late.
//
// Of the points in each short span of x it keeps the highest, takes the upper
// convex hull of those, and of its edges the one above the middle of the window:
// the line above all points with the least total distance to them. Averages, and
// loops that follow each point, would hunt by the noise instead. A sound card's
// position (sync/servo) and the arrival of packets (sync/arrival) are such clocks.
//
// x is in seconds; y in any unit. Nothing allocates. An [Envelope] belongs to one
// goroutine. After Moon, Skelly and Towsley, "Estimation and Removal of Clock Skew
// from Network Delay Measurements".
package envelope

import "math"

// Spans is how many spans the window has.
const Spans = 64

// Envelope is the hull. Make it with New.
type Envelope struct {
	width  float64 // of a span, seconds
	points [Spans]point
	last   int64
	hull   [Spans]point
	size   int
	mean   float64 // of the points' x
}

// point is the highest of a span.
type point struct {
	span int64
	x, y float64
	set  bool
}

// New returns an envelope whose window is so many seconds long.
func New(window float64) Envelope { return Envelope{width: window / Spans} }

// Window returns the length of the window in seconds.
func (e *Envelope) Window() float64 { return e.width * Spans }

// Add takes a point in; slope is the best guess of the line's. Points come in
// order of x, nearly: one that is older than the window is lost.
func (e *Envelope) Add(x, y, slope float64) {
	e.place(x, y, slope)
	e.build()
}

func (e *Envelope) place(x, y, slope float64) {
	span := int64(x/e.width) + 1
	if span <= 0 || span <= e.last-Spans {
		return
	}
	p := &e.points[span%Spans]
	if !p.set || p.span != span || y-p.y > slope*(x-p.x) {
		*p = point{span: span, x: x, y: y, set: true}
	}
	e.last = max(e.last, span)
}

// Widen makes the window longer and keeps what is there.
func (e *Envelope) Widen(window, slope float64) {
	old := e.points
	*e = New(window)
	for _, p := range old {
		if p.set {
			e.place(p.x, p.y, slope)
		}
	}
	e.build()
}

// build computes the upper convex hull of the points in the window.
func (e *Envelope) build() {
	e.size, e.mean = 0, 0
	n := 0.0
	for s := max(1, e.last-Spans+1); s <= e.last; s++ {
		p := e.points[s%Spans]
		if !p.set || p.span != s {
			continue
		}
		e.mean += p.x
		n++
		for e.size >= 2 && above(e.hull[e.size-2], e.hull[e.size-1], p) {
			e.size--
		}
		e.hull[e.size] = p
		e.size++
	}
	e.mean /= n
}

// above reports whether b lies on or below the line from a to d.
func above(a, b, d point) bool {
	return (b.y-a.y)*(d.x-a.x) <= (d.y-a.y)*(b.x-a.x)
}

// Length returns how many seconds lie between the first and the last point.
func (e *Envelope) Length() float64 {
	if e.size == 0 {
		return 0
	}
	return e.hull[e.size-1].x - e.hull[0].x
}

// Slope returns the slope of the hull's edge above the middle. Length must be
// above 0.
func (e *Envelope) Slope() float64 {
	i := 1
	for i < e.size-1 && e.hull[i].x < e.mean {
		i++
	}
	a, b := e.hull[i-1], e.hull[i]
	return (b.y - a.y) / (b.x - a.x)
}

// Top returns the y at x of the lowest line of a slope that has no point above it.
func (e *Envelope) Top(x, slope float64) float64 {
	top := math.Inf(-1)
	for _, p := range e.hull[:e.size] {
		top = max(top, p.y+slope*(x-p.x))
	}
	return top
}

// Package servo holds playout on time: it learns how a sound card's clock runs,
// and steers the resampling ratio so that each frame leaves the card at its
// instant of house time.
//
// # The card's clock
//
// A card tells its position with two one-sided errors: the position is rounded
// down to what its DMA moves at once, and the time stamp is taken a little after
// the position was true. Both make the card look late, never early. So the true
// line of position over time lies on top of all readings and touches a few:
// [Card] keeps the highest reading of each short span, takes the upper convex
// hull, and of its edges the one above the middle of the window (the line above
// all points with the least total distance). Averages, and loops that follow
// each reading, would hunt by the granularity instead.
//
// # The ratio
//
// [Timeline] knows which media frame belongs at the DAC at each card frame. It
// feeds the known rates of both clocks forward and corrects the remaining error
// slowly, with a ratio that changes linearly within each block: position and
// rate have no steps, so nothing is heard. Only an error that slewing would take
// seconds to mend is jumped, and the player crossfades that.
//
// Units: local time in seconds or [timebase.Local], positions in frames, rates in
// frames per local second. Not safe for concurrent use. After Moon, Skelly and
// Towsley, "Estimation and Removal of Clock Skew from Network Delay
// Measurements" (the hull), and IEC 61883-6 (presentation time).
package servo

import (
	"math"
	"time"

	"github.com/tutti-audio/tutti/sync/timebase"
)

// Reading is a card's position: Played frames had left the DAC at At, or a
// little before.
type Reading struct {
	Played timebase.Card
	At     timebase.Local
}

const (
	spans         = 64
	fineWindow    = 16 * time.Second // for cards that tell their position finely
	coarseWindow  = 48 * time.Second // for cards that move in large steps
	coarse        = 0.0005           // seconds; a larger scatter means a coarse card
	ratePrior     = 150e-6           // standard deviation of an unknown crystal
	readingNoise  = 0.5e-6           // seconds; what is left at the hull
	leapAhead     = 0.005            // seconds; a reading this far ahead is no reading
	fallBehind    = 0.100            // seconds; likewise behind
	suspectRun    = 8                // so many in a row and it was true
	boundFloor    = 1e-6             // seconds
	scatterWindow = 4096             // readings over which the scatter is forgotten
)

// Card is the clock of one sound card. Make it with NewCard.
type Card struct {
	nominal float64 // frames per second
	prior   float64 // expected rate as a factor on nominal
	sigma   float64 // how sure that is

	origin   timebase.Local
	first    timebase.Card
	points   [spans]point // by span number modulo spans
	lastSpan int64
	width    float64 // of a span, seconds
	hull     []point
	readings int
	suspects int
	scatter  float64 // greatest distance below the line lately, seconds

	at, position, rate float64 // the line: position at local second at, since origin and first
	slopeSigma         float64
}

// point is the highest reading of a span. x is 0 in a span without any.
type point struct {
	span int64
	x, y float64 // seconds since origin, frames since first
	set  bool
}

// NewCard returns the clock of a card whose nominal rate is in frames per second
// and whose crystal is expected to be ppm off; sigma is the standard deviation
// of that expectation in ppm, or 0 when nothing is known.
func NewCard(nominal int, ppm, sigma float64) *Card {
	c := &Card{nominal: float64(nominal), prior: 1 + ppm*1e-6, sigma: sigma * 1e-6, hull: make([]point, 0, spans)}
	if sigma == 0 {
		c.sigma = ratePrior
	}
	c.Restart()
	return c
}

// Restart forgets the position but not the rate: for an xrun, or a card opened
// again.
func (c *Card) Restart() {
	if c.readings > 0 && c.slopeSigma < c.sigma {
		c.prior, c.sigma = c.rate/c.nominal, max(c.slopeSigma, 2e-6)
	}
	c.points = [spans]point{}
	c.readings, c.suspects, c.lastSpan = 0, 0, 0
	c.rate, c.slopeSigma = c.nominal*c.prior, c.sigma
	c.width = fineWindow.Seconds() / spans
}

// Nominal returns the card's nominal rate in frames per second.
func (c *Card) Nominal() int { return int(c.nominal) }

// SetNominal changes the nominal rate: the card was opened again at another one.
// Its crystal is the same.
func (c *Card) SetNominal(rate int) {
	c.rate *= float64(rate) / c.nominal
	c.nominal = float64(rate)
	c.Restart()
}

// Ready reports whether there is a position at all.
func (c *Card) Ready() bool { return c.readings > 0 }

// Add takes a reading in. Readings come in order of time. It reports false for
// one that cannot be true; the eighth of those in a row restarts the clock.
func (c *Card) Add(r Reading) bool {
	if c.readings == 0 {
		c.origin, c.first = r.At, r.Played
	}
	x, y := float64(r.At-c.origin)*1e-9, float64(r.Played-c.first)
	if c.readings > 0 {
		off := (y - c.positionAt(x)) / c.nominal
		if off > leapAhead+c.scatter || off < -fallBehind-c.scatter {
			if c.suspects++; c.suspects < suspectRun {
				return false
			}
			c.Restart()
			return c.Add(r)
		}
		c.scatter = max(c.scatter*(1-1.0/scatterWindow), -off)
	}
	c.suspects = 0
	c.readings++
	c.place(x, y)
	c.fit(x)
	return true
}

// place keeps the reading if it is the highest of its span. When the scatter
// shows a coarse card, the spans widen once.
func (c *Card) place(x, y float64) {
	if c.scatter > coarse && c.width < coarseWindow.Seconds()/spans {
		c.widen()
	}
	span := int64(x/c.width) + 1
	p := &c.points[span%spans]
	if !p.set || p.span != span || y-p.y > c.rate*(x-p.x) {
		*p = point{span: span, x: x, y: y, set: true}
	}
	c.lastSpan = max(c.lastSpan, span)
}

// widen sorts what is there into wider spans.
func (c *Card) widen() {
	old := c.points
	c.points = [spans]point{}
	c.width = coarseWindow.Seconds() / spans
	c.lastSpan = 0
	for _, p := range old {
		if p.set {
			c.place(p.x, p.y)
		}
	}
}

// fit lays the line over the hull.
func (c *Card) fit(now float64) {
	mean := c.buildHull()
	span := c.hull[len(c.hull)-1].x - c.hull[0].x
	rate, sigma := c.nominal*c.prior, c.sigma
	if span > 0 {
		slope := c.slopeAbove(mean)
		s := (readingNoise + c.touch()) * 4 / span
		w, wp := 1/(s*s), 1/(c.sigma*c.sigma)
		rate = (slope*w + rate*wp) / (w + wp)
		sigma = math.Sqrt(1 / (w + wp))
	}
	position := math.Inf(-1)
	for _, p := range c.hull {
		position = max(position, p.y+rate*(now-p.x))
	}
	c.at, c.position, c.rate, c.slopeSigma = now, position, rate, sigma
}

// touch is how far, in seconds, the best of the readings may still lie below the
// true line: the scatter shared among those in the window.
func (c *Card) touch() float64 {
	return c.scatter / math.Sqrt(float64(min(c.readings, scatterWindow)))
}

// buildHull computes the upper convex hull of the points in the window and
// returns the mean of their times.
func (c *Card) buildHull() (mean float64) {
	c.hull = c.hull[:0]
	n := 0.0
	for s := max(1, c.lastSpan-spans+1); s <= c.lastSpan; s++ {
		p := c.points[s%spans]
		if !p.set || p.span != s {
			continue
		}
		mean += p.x
		n++
		for len(c.hull) >= 2 && above(c.hull[len(c.hull)-2], c.hull[len(c.hull)-1], p) {
			c.hull = c.hull[:len(c.hull)-1]
		}
		c.hull = append(c.hull, p)
	}
	return mean / n
}

// above reports whether b lies on or below the line from a to d.
func above(a, b, d point) bool {
	return (b.y-a.y)*(d.x-a.x) <= (d.y-a.y)*(b.x-a.x)
}

// slopeAbove returns the slope of the hull's edge above x.
func (c *Card) slopeAbove(x float64) float64 {
	i := 1
	for i < len(c.hull)-1 && c.hull[i].x < x {
		i++
	}
	a, b := c.hull[i-1], c.hull[i]
	return (b.y - a.y) / (b.x - a.x)
}

func (c *Card) positionAt(x float64) float64 { return c.position + c.rate*(x-c.at) }

// Rate returns the card's rate in frames per local second.
func (c *Card) Rate() float64 { return c.rate }

// PPM returns how fast the card's crystal runs, in parts per million of local
// time, and the standard deviation of that.
func (c *Card) PPM() (ppm, sigma float64) {
	return (c.rate/c.nominal - 1) * 1e6, c.slopeSigma * 1e6
}

// LocalAt returns the local instant at which frame n is at the DAC.
func (c *Card) LocalAt(n timebase.Card) timebase.Local {
	x := c.at + (float64(n-c.first)-c.position)/c.rate
	return c.origin + timebase.Local(math.Round(x*1e9))
}

// FrameAt returns which frame is at the DAC at l.
func (c *Card) FrameAt(l timebase.Local) float64 {
	return float64(c.first) + c.positionAt(float64(l-c.origin)*1e-9)
}

// Bound returns by how much LocalAt can be wrong now.
func (c *Card) Bound() time.Duration {
	b := boundFloor + 2*c.touch() + 2*c.slopeSigma
	return time.Duration(b * 1e9)
}

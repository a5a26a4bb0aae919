// Package servo holds playout on time: it learns how a sound card's clock runs,
// and steers the resampling ratio so that each frame leaves the card at its
// instant of house time.
//
// # The card's clock
//
// A card tells its position with two one-sided errors: the position is rounded
// down to what its DMA moves at once, and the time stamp is taken a little after
// the position was true. Both make the card look late, never early. So the true
// line of position over time lies on top of all readings and touches a few, and
// [Card] finds it as their envelope (sync/envelope).
//
// # The ratio
//
// [Timeline] knows which media frame belongs at the DAC at each card frame. It
// feeds the known rates of both clocks forward and corrects the remaining error
// slowly, with a ratio that changes linearly within each block: position and
// rate have no steps, so nothing is heard. What is decided rather than estimated (a
// course's legs, a lead) is followed at once and exactly: rooms bend together,
// however long they have played. Only an error that slewing would take
// seconds to mend is jumped, and the player crossfades that.
//
// Units: local time in seconds or [timebase.Local], positions in frames, rates in
// frames per local second. Not safe for concurrent use. After IEC 61883-6
// (presentation time).
package servo

import (
	"math"
	"time"

	"github.com/tutti-audio/tutti/sync/envelope"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// Reading is a card's position: Played frames had left the DAC at At, or a
// little before.
type Reading struct {
	Played timebase.Card
	At     timebase.Local
}

const (
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
	envelope envelope.Envelope
	readings int
	suspects int
	scatter  float64 // greatest distance below the line lately, seconds

	at, position, rate float64 // the line: position at local second at, since origin and first
	slopeSigma         float64
}

// NewCard returns the clock of a card whose nominal rate is in frames per second
// and whose crystal is expected to be ppm off; sigma is the standard deviation
// of that expectation in ppm, or 0 when nothing is known.
func NewCard(nominal int, ppm, sigma float64) *Card {
	c := &Card{nominal: float64(nominal), prior: 1 + ppm*1e-6, sigma: sigma * 1e-6}
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
	c.envelope = envelope.New(fineWindow.Seconds())
	c.readings, c.suspects = 0, 0
	c.rate, c.slopeSigma = c.nominal*c.prior, c.sigma
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

// place takes the reading into the envelope. When the scatter shows a coarse card,
// the window widens once.
func (c *Card) place(x, y float64) {
	if c.scatter > coarse && c.envelope.Window() < coarseWindow.Seconds() {
		c.envelope.Widen(coarseWindow.Seconds(), c.rate)
	}
	c.envelope.Add(x, y, c.rate)
}

// fit lays the line over the envelope.
func (c *Card) fit(now float64) {
	rate, sigma := c.nominal*c.prior, c.sigma
	if span := c.envelope.Length(); span > 0 {
		s := (readingNoise + c.touch()) * 4 / span
		w, wp := 1/(s*s), 1/(c.sigma*c.sigma)
		rate = (c.envelope.Slope()*w + rate*wp) / (w + wp)
		sigma = math.Sqrt(1 / (w + wp))
	}
	c.at, c.position, c.rate, c.slopeSigma = now, c.envelope.Top(now, rate), rate, sigma
}

// touch is how far, in seconds, the best of the readings may still lie below the
// true line: the scatter shared among those in the window.
func (c *Card) touch() float64 {
	return c.scatter / math.Sqrt(float64(min(c.readings, scatterWindow)))
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

// Package arrival tells a sender's clock from nothing but the arrival of its
// packets, and how much later than they might they come.
//
// A packet can only be late, never early, so that the sender's clock runs along the
// envelope of arrivals (sync/envelope): the packets that met no queue. What lies
// between that line and an arrival is the packet's delay, without the constant part
// of the way, which nobody can know from one direction and playout need not. The
// distribution of delays says how much must be buffered.
//
// A [Clock] is for one path: another path has another constant. When the path
// becomes quicker or stays slower, the line starts anew and keeps its rate; whoever
// plays by it leads over (offset.Follower). A Clock belongs to one goroutine and
// allocates nothing. After RFC 3550, A.8, which keeps the mean of what this keeps
// the distribution of.
package arrival

import (
	"math"
	"time"

	"github.com/tutti-audio/tutti/sync/envelope"
	"github.com/tutti-audio/tutti/sync/offset"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const (
	window    = 64.0                 // seconds
	mostDrift = 300e-6               // by which two crystals differ at most
	prior     = 60e-6                // standard deviation of that
	noise     = 100e-6               // seconds, of the quickest packets
	quicker   = 5 * time.Millisecond // so much at once is another path,
	slower    = 3 * time.Millisecond // and so much
	slowerFor = 3 * time.Second      // for so long, too,
	slowerBy  = 50                   // with so many packets
	learning  = 250                  // packets, before which any way may still prove slow
	absurd    = 5 * time.Second      // no delay: the sender left time out
)

// Clock is the sender's clock. The zero value is ready.
type Clock struct {
	envelope envelope.Envelope
	packets  int
	base     timebase.House
	origin   timebase.Local

	at, house float64 // the line: seconds since base at so many since origin
	drift     float64 // what the line gains
	expected  float64 // what it gained before it started anew

	delays histogram
	least  time.Duration  // delay since slowAt
	slowAt timebase.Local // when packets were last as quick as they can be
	slow   int            // packets since
	shifts int
}

// Add takes in that a packet sent at house time sent arrived, and returns its delay.
func (c *Clock) Add(sent timebase.House, at timebase.Local) time.Duration {
	if c.packets == 0 {
		c.restart(sent, at)
	}
	delay := c.HouseAt(at).Sub(sent)
	if delay < max(slower, time.Duration(0.5e9*c.delays.mean())) {
		c.slowAt, c.least, c.slow = at, absurd, 0
	}
	c.least = min(c.least, delay)
	c.slow++
	if delay < -c.quicker() || delay > absurd || c.slow > slowerBy && at.Sub(c.slowAt) > slowerFor {
		c.shifts++
		c.restart(sent, at)
		delay = 0
	}
	c.packets++
	c.fit(seconds(at-c.origin), seconds(sent-c.base))
	delay = max(delay, 0)
	c.delays.add(delay, at)
	return delay
}

// quicker is how much earlier than any before it a packet of the same path may come:
// the more the delays vary, the longer the quickest packet takes to come.
func (c *Clock) quicker() time.Duration {
	if c.packets < learning {
		return absurd
	}
	return max(quicker, time.Duration(3e9*c.delays.mean()))
}

// restart begins a line at a packet; the rate is kept.
func (c *Clock) restart(sent timebase.House, at timebase.Local) {
	if c.packets > 0 {
		if c.least > 0 && c.least < absurd { // slower by that: this packet, too, may be late
			sent = sent.Add(c.HouseAt(at).Sub(sent) - c.least)
		}
		c.expected = c.drift
	}
	c.envelope = envelope.New(window)
	c.base, c.origin = sent, at
	c.at, c.house, c.drift = 0, 0, c.expected
	c.slowAt, c.least, c.slow = at, absurd, 0
	c.delays.clear()
}

// fit takes a point in and lays the line over the envelope.
func (c *Clock) fit(x, y float64) {
	c.envelope.Add(x, y, 1+c.drift)
	c.drift = c.expected
	if span := c.envelope.Length(); span > 1 {
		s := (noise + c.delays.mean()/math.Sqrt(float64(c.packets))) * 4 / span
		w, wp := 1/(s*s), 1/(prior*prior)
		c.drift = ((c.envelope.Slope()-1)*w + c.expected*wp) / (w + wp)
		c.drift = min(max(c.drift, -mostDrift), mostDrift)
	}
	c.at, c.house = x, c.envelope.Top(x, 1+c.drift)
}

// HouseAt returns the house time that the quickest packet would carry at l.
func (c *Clock) HouseAt(l timebase.Local) timebase.House {
	x := seconds(l - c.origin)
	return c.base + timebase.House(math.Round((c.house+(1+c.drift)*(x-c.at))*1e9))
}

// Estimate returns the line as an estimate at l. Its error bound covers the line
// alone: house time is behind the sender's by the constant part of the way.
func (c *Clock) Estimate(l timebase.Local) offset.Estimate {
	return offset.Known(l, c.HouseAt(l), c.drift, c.packets, noise)
}

// Delay returns how long after the quickest all but a share of the packets of the
// last half minute came; missed is that share, 0.01 for the 99th percentile.
func (c *Clock) Delay(missed float64) time.Duration { return c.delays.beyond(missed) }

// Packets counts what was taken in.
func (c *Clock) Packets() int { return c.packets }

// Shifts counts how often the line started anew.
func (c *Clock) Shifts() int { return c.shifts }

func seconds[T ~int64](ns T) float64 { return float64(ns) * 1e-9 }

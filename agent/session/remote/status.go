package remote

import (
	"context"
	"fmt"
	"time"

	"github.com/tutti-audio/tutti/ostp/describe"
	"github.com/tutti-audio/tutti/sync/offset"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// Counters is what a receiver has counted.
type Counters struct {
	Packets     uint64 `json:"packets"` // of the stream, with parity
	Bytes       uint64 `json:"bytes"`
	Damaged     uint64 `json:"damaged"`
	OtherStream uint64 `json:"other_stream"`
	UnknownType uint64 `json:"unknown_type"`
	Parity      uint64 `json:"parity"`    // FEC packets
	Recovered   uint64 `json:"recovered"` // by them
	Expected    uint64 `json:"expected"`
	Lost        uint64 `json:"lost"`     // given up
	Asked       uint64 `json:"asked"`    // NACKs' sequence numbers
	Repaired    uint64 `json:"repaired"` // that came after they were asked for
}

// Counters returns what has been counted so far.
func (r *Receiver) Counters() Counters {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.counts
	c.Expected, c.Lost, c.Asked, c.Repaired = r.gaps.expect, r.gaps.lost, r.gaps.asked, r.gaps.came
	return c
}

// Quality is how the way to the source is.
type Quality struct {
	RoundTrip time.Duration // to the relay
	Jitter    time.Duration // by which 99 of 100 packets are delayed at most
	Buffer    time.Duration // for which packets wait
	Loss      float64       // share of packets that were lost on the way, repaired or not
	Rate      float64       // bytes that come each second, parity included
}

// Quality returns how the way is now.
func (r *Receiver) Quality() Quality {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Quality{RoundTrip: r.way.RoundTrip(), Jitter: r.clock.Delay(missShare), Buffer: r.buffer.actual, Loss: r.before.share, Rate: r.before.rate}
}

// loss is what was lost until some time, and the share of the time before.
type loss struct {
	at             timebase.Local
	expected, lost uint64
	gaveUp, bytes  uint64
	rate           float64 // bytes each second
	share          float64 // lost on the way
	residual       float64 // and not repaired
}

// Way returns how well the stream comes: how long ago its last packet did, whether
// one ever has, and the share that was lost of late and could not be repaired.
func (r *Receiver) Way() (idle time.Duration, playing bool, lost float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.config.Clock.Now()
	idle = now.Sub(max(r.last, r.opened))
	if m, ok := r.way.(relayed); ok && idle > nudgeAfter && now.Sub(r.nudged) > min(max(nudgeAfter, idle/4), aliveEvery) {
		r.nudged = now
		m.nudge(idle)
	}
	if r.last == 0 {
		return 0, false, 0
	}
	return idle, true, r.before.residual
}

// Silence says for how long nothing has come, and why as far as that is known; empty
// while all is well.
func (r *Receiver) Silence() string {
	r.mu.Lock()
	last := r.last
	r.mu.Unlock()
	idle := r.config.Clock.Now().Sub(last).Truncate(time.Second)
	if last == 0 || idle < sayAfter {
		return ""
	}
	m, relay := r.config.Member, r.config.Member.config.Relay
	switch {
	case !m.Answers():
		return fmt.Sprintf("nothing has come for %v, and relay %s does not answer: is it on, and does this network reach it?", idle, relay)
	case len(m.Senders()) == 0:
		return fmt.Sprintf("nothing has come for %v: the source has left relay %s", idle, relay)
	}
	return fmt.Sprintf("nothing has come for %v: relay %s answers but passes nothing on; does the source still send?", idle, relay)
}

// sayAfter is how long nothing comes before that is a problem.
const sayAfter = 2 * time.Second

// nudgeAfter is how long nothing comes before the relay is spoken to.
const nudgeAfter = 100 * time.Millisecond

// Done is closed when the receiver has ended.
func (r *Receiver) Done() <-chan struct{} { return r.ctx.Done() }

// Err says why it ended.
func (r *Receiver) Err() error { return context.Cause(r.ctx) }

// Stream returns the stream's description with the present tags.
func (r *Receiver) Stream() describe.Stream {
	s := r.stream
	s.Tags = *r.tags.Load()
	return s
}

// Clock returns what the path is told of house time.
func (r *Receiver) Clock() offset.Estimate {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.goal
}

package remote

import (
	"time"

	"github.com/tutti-audio/tutti/sync/playout"
	"github.com/tutti-audio/tutti/sync/servo"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const clockEvery = 20 * time.Millisecond // the path is told the time

// tellTime tells the path how house time runs, and starts it. Callers hold mu.
func (r *Receiver) tellTime(at timebase.Local) {
	if r.clock.Packets() == 0 || r.started && at.Sub(r.told) < clockEvery {
		return
	}
	r.told = at
	wait, leap := r.buffer.length(&r.clock, r.least(), r.buffer.mend(r.gaps.packet, r.way.RoundTrip(), at), r.config.Path.Young(at), at)
	r.goal = r.clock.Estimate(at).Moved(r.stream.Latency - wait)
	if leap {
		r.config.Path.Leap(r.goal)
	} else {
		r.config.Path.SetClock(r.goal)
	}
	if r.started {
		return
	}
	r.started = true
	err := r.config.Path.Start(playout.Format{
		Codec: decoderFor(&r.stream), Latency: r.stream.Latency, Anchor: servo.Anchor{House: r.stream.HouseAt(0)}, Queue: queue(r.stream.Latency),
	}, nil)
	if err != nil {
		r.cancel(err)
	}
}

// least is how long packets wait at least.
func (r *Receiver) least() time.Duration {
	if r.config.Hold == nil {
		return r.stream.Latency
	}
	hold := r.config.Hold()
	if hold > 0 {
		hold += 2 * r.way.RoundTrip()
	}
	return max(r.stream.Latency, hold)
}

package remote

import (
	"time"

	"github.com/tutti-audio/tutti/ostp/control"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const reportEvery = time.Second

// report tells the source how its stream arrives and what is presented, until the
// receiver ends.
func (r *Receiver) report() {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-tick.C:
		}
		report, ok := r.account()
		if !ok {
			continue
		}
		r.config.Path.Report(&report, &r.stream)
		if b, err := control.AppendReport(nil, report); err == nil {
			_ = r.way.Write(b)
		}
	}
}

// account takes stock of what was lost since the last time.
func (r *Receiver) account() (report control.Receiver, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.started {
		return report, false
	}
	now := r.config.Clock.Now()
	b := r.before
	next := loss{at: now, expected: r.gaps.expect, lost: r.gaps.lost + r.gaps.came + r.counts.Recovered, gaveUp: r.gaps.lost}
	if next.expected > b.expected {
		next.share = min(1, float64(next.lost-b.lost)/float64(next.expected-b.expected))
		next.residual = min(1, float64(next.gaveUp-b.gaveUp)/float64(next.expected-b.expected))
	}
	r.before = next
	packet := timebase.Media(r.stream.Frames).Duration()
	report = control.Receiver{
		SSRC: r.config.SSRC, Stream: r.stream.SSRC, ID: r.config.ID, FractionLost: uint8(255 * next.share), Lost: uint32(r.gaps.lost),
		HighestSequence: uint32(r.gaps.highest), Jitter: uint32(r.clock.Delay(0.5).Seconds() * timebase.Rate),
	}
	report.Health.Burst = time.Duration(r.gaps.longest()) * packet
	return report, true
}

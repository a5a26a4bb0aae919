package remote

import (
	"time"

	"github.com/tutti-audio/tutti/ostp/control"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const (
	reportEvery = time.Second
	leastReport = 250 * time.Millisecond
)

// report tells the source how its stream arrives and what is presented, until the
// receiver ends: every second, and as soon as something was given up.
func (r *Receiver) report() {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-tick.C:
		case <-r.gone:
			tick.Reset(reportEvery)
		}
		report, ok := r.account()
		if !ok {
			continue
		}
		presented := r.config.Path.Report(&report, &r.stream)
		r.mu.Lock()
		if presented != 0 {
			report.PresentedAt = r.goal.HouseAt(presented)
		}
		if q := report.Health.Queue; q > 0 {
			r.buffer.device = q
		}
		r.mu.Unlock()
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
	if now.Sub(b.at) < leastReport {
		return report, false
	}
	next := loss{at: now, expected: r.gaps.expect, lost: r.gaps.lost + r.gaps.came + r.counts.Recovered, gaveUp: r.gaps.lost, bytes: r.counts.Bytes}
	next.rate = float64(next.bytes-b.bytes) / now.Sub(b.at).Seconds()
	if next.expected > b.expected {
		next.share = min(1, float64(next.lost-b.lost)/float64(next.expected-b.expected))
		next.residual = min(1, float64(next.gaveUp-b.gaveUp)/float64(next.expected-b.expected))
	}
	r.before = next
	path := r.path()
	r.buffer.account(next.share, next.residual, path.again(), now)
	report = control.Receiver{
		SSRC: r.config.SSRC, Stream: r.stream.SSRC, ID: r.config.ID, FractionLost: uint8(255 * next.share), Lost: uint32(r.gaps.lost),
		HighestSequence: uint32(r.gaps.highest), Jitter: uint32(r.clock.Delay(0.5).Seconds() * timebase.Rate),
	}
	report.Health.Burst = time.Duration(r.gaps.longest()) * r.gaps.packet
	report.Health.Asks = uint8(r.gaps.asks(path))
	report.Health.Mend = max(path.usable-r.clock.Delay(missShare), time.Microsecond)
	return report, true
}

package hub

import "sync/atomic"

// pace is a token bucket (the generic cell rate algorithm): one event each so many
// ns, and a burst that has been saved up. The zero value is full.
type pace struct{ next atomic.Int64 }

// allow takes a token. interval is ns for each event, burst how many events may
// come at once.
func (p *pace) allow(now, interval, burst int64) bool {
	return p.allowCost(now, interval, interval*burst)
}

// allowCost takes cost ns out of a bucket of depth ns.
func (p *pace) allowCost(now, cost, depth int64) bool {
	for {
		next := p.next.Load()
		after := max(next, now) + cost
		if after-now > depth {
			return false
		}
		if p.next.CompareAndSwap(next, after) {
			return true
		}
	}
}

// every turns events each second into ns for each.
func every(perSecond float64) int64 { return int64(1e9 / max(perSecond, 1e-3)) }

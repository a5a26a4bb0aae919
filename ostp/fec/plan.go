package fec

import (
	"math"
	"time"
)

const (
	mostLeft  = 0.05 // share of blocks that may stay incomplete where asking again mends the rest,
	leastLeft = 1e-3 // and where it does not
	bearable  = 2e-4 // share of packets that may stay lost
	leastLoss = 0.002

	// Of listeners that do not say how long what was lost is of use to them.
	deviceMost  = 60 * time.Millisecond // of the latency, what the player queues in its device,
	deviceShare = 0.55                  // as a share of it
	reserve     = 15 * time.Millisecond // for jitter
)

// Plan returns the shape of blocks by which, on a path that loses a share of packets
// at random and runs of up to burst, all but a share left of the blocks come back whole
// within a time after the first packet's turn. A block's first parity packet leaves with
// its last data packet, the others with one of the next block's each. m is 0 where
// parity could not come in time, or is not needed.
func Plan(loss float64, burst, packet, within time.Duration, left float64) (k, m int) {
	n := min(int(within/packet)+2, MaxData)
	if loss < leastLoss && burst <= packet || within < packet || n < 3 {
		return 0, 0
	}
	run := int((burst + packet - 1) / packet)
	for m = max(1, run); m < n && tail(n, m, loss) > left; {
		m++
	}
	m = min(m, n/2, MaxParity) // more would cost more than it gives
	return n - m, m
}

// tail is the probability that of n packets more than m are lost.
func tail(n, m int, loss float64) float64 {
	p := math.Pow(1-loss, float64(n)) // that none is
	sum := p
	for i := 1; i <= m; i++ {
		p *= float64(n-i+1) / float64(i) * loss / (1 - loss)
		sum += p
	}
	return 1 - sum
}

// Listener is what one says of its path.
type Listener struct {
	Loss  float64       // share of packets that were lost on the way,
	Burst time.Duration // the longest run of them,
	Given int           // and how many packets were given up
	// Mend is how long after its turn to arrive a lost packet is still of use, and Asks
	// how often it can be asked for within that. Mend 0: it does not say.
	Mend time.Duration
	Asks int
}

// unasked is the share of the lost packets that asking again does not bring: the
// request or the answer is lost each time.
func (l Listener) unasked() float64 {
	if l.Mend == 0 {
		return 0 // it shows when some are given up
	}
	return math.Pow(1-(1-l.Loss)*(1-l.Loss), float64(l.Asks))
}

// within is how long after its turn a lost packet is of use.
func (l Listener) within(latency time.Duration) time.Duration {
	if l.Mend > 0 {
		return l.Mend
	}
	return latency - min(time.Duration(float64(latency)*deviceShare), deviceMost) - reserve
}

// Adapter follows what listeners report and decides how much parity is sent. The zero
// value sends none.
type Adapter struct {
	reports map[uint32]report
}

type report struct {
	Listener
	at     time.Time
	wanted time.Time // until when asking again is expected to leave too much lost
	failed time.Time // until when it counts as having done so
	given  float64   // packets given up of late
}

const (
	memory  = 15 * time.Second // of a report, and of packets given up
	calm    = 4 * time.Second  // of less loss, before parity ends
	maxHeed = 0.40             // a listener that loses more cannot be helped
	maxKept = 1000
	several = 1.5 // packets given up of late, each report counting less by
	fade    = 0.9
)

// Report takes in what a listener says. Only where asking again does not do is parity
// worth its bytes: where it comes too late, where it is lost too often, or where several
// packets were given up all the same.
func (a *Adapter) Report(ssrc uint32, l Listener, now time.Time) {
	if a.reports == nil {
		a.reports = map[uint32]report{}
	}
	if l.Loss > maxHeed || len(a.reports) >= maxKept {
		return
	}
	r := a.reports[ssrc]
	l.Loss, l.Burst = max(l.Loss, r.Loss*0.8), max(l.Burst, r.Burst*8/10)
	r.Listener, r.at, r.given = l, now, r.given*fade+float64(l.Given)
	if l.Given > 0 && r.given >= several {
		r.failed = now.Add(memory)
	}
	if l.Loss*l.unasked() > bearable {
		r.wanted = now.Add(calm)
	}
	a.reports[ssrc] = r
}

// Shape returns the blocks that serve the worst of the listeners that need parity.
func (a *Adapter) Shape(packet, latency time.Duration, now time.Time) (k, m int) {
	var worst Listener
	within, left := time.Duration(math.MaxInt64), mostLeft
	for ssrc, r := range a.reports {
		if now.Sub(r.at) > memory {
			delete(a.reports, ssrc)
			continue
		}
		failed := !now.After(r.failed)
		if !failed && now.After(r.wanted) {
			continue
		}
		worst.Loss, worst.Burst = max(worst.Loss, r.Loss), max(worst.Burst, r.Burst)
		within = min(within, r.within(latency))
		unasked := r.unasked()
		if failed {
			unasked = 1
		}
		left = max(min(left, leastLeft/max(unasked, leastLeft)), leastLeft)
	}
	if within == math.MaxInt64 {
		return 0, 0
	}
	return Plan(worst.Loss, worst.Burst, packet, within, left)
}

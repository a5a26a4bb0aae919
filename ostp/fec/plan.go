package fec

import (
	"math"
	"time"
)

const (
	residual  = 1e-3                  // share of packets that may stay lost
	deviceMax = 60 * time.Millisecond // of the latency, what the player queues in its device,
	device    = 0.55                  // as a share of it
	reserve   = 15 * time.Millisecond // for jitter
	leastLoss = 0.002
)

// Plan returns the shape of blocks by which, on a path that loses a share of packets
// at random and runs of up to burst, nearly all come back within the latency. Data and
// parity of a block leave evenly, one parity packet with each data packet of the next.
// m is 0 where parity could not come in time, or is not needed.
func Plan(loss float64, burst, packet, latency time.Duration) (k, m int) {
	within := latency - min(time.Duration(float64(latency)*device), deviceMax) - reserve
	n := min(int(within/packet), MaxData)
	if loss < leastLoss && burst <= packet || n < 3 {
		return 0, 0
	}
	run := int((burst + packet - 1) / packet)
	for m = max(1, run); m < n && tail(n, m, loss) > residual; {
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

// Adapter follows what listeners report and decides how much parity is sent. The zero
// value sends none.
type Adapter struct {
	reports map[uint32]report
	strong  time.Time // until when parity is sent
}

type report struct {
	loss  float64
	burst time.Duration
	at    time.Time
}

const (
	memory  = 15 * time.Second // of a report, and of parity after the last need of it
	maxHeed = 0.40             // a listener that loses more cannot be helped
	maxKept = 1000
)

// Report takes in a listener's report: what share it lost on the way, the longest run,
// and whether some of it could not be asked for again in time. Only where asking again
// does not do is parity worth its bytes.
func (a *Adapter) Report(ssrc uint32, loss float64, burst time.Duration, unrepaired bool, now time.Time) {
	if a.reports == nil {
		a.reports = map[uint32]report{}
	}
	if loss > maxHeed || len(a.reports) >= maxKept {
		return
	}
	before := a.reports[ssrc]
	a.reports[ssrc] = report{loss: max(loss, before.loss*0.8), burst: max(burst, before.burst*8/10), at: now}
	if unrepaired {
		a.strong = now.Add(memory)
	}
}

// Shape returns the blocks that serve the worst of the listeners.
func (a *Adapter) Shape(packet, latency time.Duration, now time.Time) (k, m int) {
	var worst report
	for ssrc, r := range a.reports {
		if now.Sub(r.at) > memory {
			delete(a.reports, ssrc)
			continue
		}
		worst.loss, worst.burst = max(worst.loss, r.loss), max(worst.burst, r.burst)
	}
	if now.After(a.strong) {
		return 0, 0
	}
	return Plan(worst.loss, worst.burst, packet, latency)
}

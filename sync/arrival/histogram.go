package arrival

import (
	"time"

	"github.com/tutti-audio/tutti/sync/timebase"
)

const (
	bins     = 2048
	binWidth = time.Millisecond
	halving  = 15 * time.Second // what came before counts half
)

// histogram is the distribution of delays lately, to a millisecond.
type histogram struct {
	counts [bins]float32
	total  float32
	sum    float64 // of delays, seconds
	halved timebase.Local
}

func (h *histogram) add(d time.Duration, at timebase.Local) {
	if h.total == 0 {
		h.halved = at
	}
	if at.Sub(h.halved) > halving {
		h.halved = at
		h.total = 0
		for i := range h.counts {
			h.counts[i] /= 2
			h.total += h.counts[i]
		}
		h.sum /= 2
	}
	h.counts[min(int(d/binWidth), bins-1)]++
	h.total++
	h.sum += d.Seconds()
}

func (h *histogram) clear() { *h = histogram{} }

// mean returns the mean delay in seconds.
func (h *histogram) mean() float64 {
	if h.total == 0 {
		return 0
	}
	return h.sum / float64(h.total)
}

// beyond returns the delay that only a share of the packets exceeds.
func (h *histogram) beyond(share float64) time.Duration {
	left := float32(share) * h.total
	for i := bins - 1; i >= 0; i-- {
		if left -= h.counts[i]; left < 0 {
			return time.Duration(i+1) * binWidth
		}
	}
	return 0
}

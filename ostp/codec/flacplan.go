package codec

import "math/bits"

// Kinds of a subframe, as coded (RFC 9639 section 9.2.1).
const (
	flacConstant = 0
	flacVerbatim = 1
	flacFixed    = 8  // plus the order, 0 to 4
	flacLPC      = 32 // plus the order less one
)

const (
	flacMaxFixed     = 4
	flacMaxPartition = 5 // partitions are at most 2⁵
	flacMaxRice      = 30
)

// flacPlan is the cheapest way found to code one channel of one frame.
type flacPlan struct {
	samples []int32 // without the wasted bits
	wasted  int     // low bits that are zero throughout
	depth   int     // bits of a sample, without the wasted ones
	kind    int     // flacConstant, flacVerbatim, flacFixed or flacLPC
	order   int
	lpc     lpcModel
	rice    ricePlan
	cost    int // bits

	residual []int32 // of the choice
	trial    []int32
	analysis lpcAnalysis
}

func newFLACPlan(frames int, window []float64) *flacPlan {
	return &flacPlan{
		samples: make([]int32, frames), residual: make([]int32, frames), trial: make([]int32, frames),
		analysis: lpcAnalysis{window: window, windowed: make([]float64, frames)},
	}
}

// choose finds the plan for samples of the given depth.
func (p *flacPlan) choose(samples []int32, depth int) {
	all := int32(0)
	same := true
	for _, x := range samples {
		all |= x
		same = same && x == samples[0]
	}
	p.wasted = 0
	if all != 0 {
		p.wasted = min(bits.TrailingZeros32(uint32(all)), depth-1)
	}
	for i, x := range samples {
		p.samples[i] = x >> p.wasted
	}
	p.depth = depth - p.wasted
	head := 8
	if p.wasted > 0 {
		head += p.wasted
	}
	if same {
		p.kind, p.order, p.cost = flacConstant, 0, head+p.depth
		return
	}
	p.kind, p.order, p.cost = flacVerbatim, 0, head+p.depth*len(samples)
	p.tryFixed(head)
	p.tryLPC(head)
}

// tryFixed takes the fixed predictor with the smallest residual.
func (p *flacPlan) tryFixed(head int) {
	order := fixedOrder(p.samples)
	fixedResidual(p.trial, p.samples, order)
	rice := planRice(p.trial, order)
	if cost := head + order*p.depth + rice.cost; cost < p.cost {
		p.kind, p.order, p.rice, p.cost = flacFixed, order, rice, cost
		p.residual, p.trial = p.trial, p.residual
	}
}

// tryLPC takes a linear predictor fitted to the samples where it pays.
func (p *flacPlan) tryLPC(head int) {
	for _, order := range [...]int{4, 8} {
		if order >= len(p.samples)/4 {
			return
		}
		model, ok := p.analysis.fit(p.samples, order, p.depth)
		if !ok || !model.residual(p.trial, p.samples) {
			continue
		}
		rice := planRice(p.trial, order)
		cost := head + order*p.depth + 9 + order*model.precision + rice.cost
		if cost < p.cost {
			p.kind, p.order, p.lpc, p.rice, p.cost = flacLPC, order, model, rice, cost
			p.residual, p.trial = p.trial, p.residual
		}
	}
}

// fixedOrder returns the order whose residual has the smallest sum.
func fixedOrder(x []int32) int {
	var sum [flacMaxFixed + 1]uint64
	var last [flacMaxFixed]int32
	for i, v := range x {
		for order := range sum {
			if i >= flacMaxFixed {
				sum[order] += uint64(max(v, -v))
			}
			if order < flacMaxFixed {
				v, last[order] = v-last[order], v
			}
		}
	}
	best := 0
	for order := range sum {
		if sum[order] < sum[best] {
			best = order
		}
	}
	return best
}

// fixedResidual writes the residual of a fixed predictor; the first samples,
// as many as the order, are not set.
func fixedResidual(dst, x []int32, order int) {
	for i := order; i < len(x); i++ {
		switch order {
		case 0:
			dst[i] = x[i]
		case 1:
			dst[i] = x[i] - x[i-1]
		case 2:
			dst[i] = x[i] - 2*x[i-1] + x[i-2]
		case 3:
			dst[i] = x[i] - 3*x[i-1] + 3*x[i-2] - x[i-3]
		case 4:
			dst[i] = x[i] - 4*x[i-1] + 6*x[i-2] - 4*x[i-3] + x[i-4]
		}
	}
}

// write appends the subframe.
func (p *flacPlan) write(w *bitWriter) {
	kind := p.kind
	switch kind {
	case flacFixed:
		kind += p.order
	case flacLPC:
		kind += p.order - 1
	}
	w.write(uint32(kind), 7)
	if p.wasted > 0 {
		w.write(1, 1)
		w.write(1, uint(p.wasted))
	} else {
		w.write(0, 1)
	}
	warm := p.order
	switch p.kind {
	case flacConstant:
		warm = 1
	case flacVerbatim:
		warm = len(p.samples)
	}
	for _, x := range p.samples[:warm] {
		w.write(uint32(x), uint(p.depth))
	}
	if p.kind == flacLPC {
		p.lpc.write(w)
	}
	if p.kind == flacFixed || p.kind == flacLPC {
		p.rice.write(w, p.residual, p.order)
	}
}

package codec

import "math/bits"

// ricePlan says how a residual is cut into partitions, and the Rice parameter
// of each (RFC 9639 section 9.2.7).
type ricePlan struct {
	partition int // 2^partition partitions
	param     [1 << flacMaxPartition]uint8
	wide      bool // parameters have five bits instead of four
	cost      int  // bits
}

// fold maps a signed residual to an unsigned one: 0, -1, 1, -2, 2…
func fold(x int32) uint32 { return uint32(x<<1) ^ uint32(x>>31) }

// planRice finds the cheapest partition of residual[order:].
func planRice(residual []int32, order int) ricePlan {
	n := len(residual)
	finest := min(flacMaxPartition, bits.TrailingZeros32(uint32(n)))
	for finest > 0 && n>>finest <= order {
		finest--
	}
	var sum [1 << flacMaxPartition]uint64
	size := n >> finest
	for k := range 1 << finest {
		from := max(k*size, order)
		for _, x := range residual[from : (k+1)*size] {
			sum[k] += uint64(fold(x))
		}
	}
	best := ricePlan{cost: -1}
	for p := finest; p >= 0; p-- {
		if plan := costRice(sum[:1<<p], n>>p, order); best.cost < 0 || plan.cost < best.cost {
			best = plan
			best.partition = p
		}
		for k := range 1 << p / 2 {
			sum[k] = sum[2*k] + sum[2*k+1]
		}
	}
	return best
}

// costRice chooses parameters for partitions of size samples whose folded
// residuals have the given sums; the first lacks order samples.
func costRice(sum []uint64, size, order int) ricePlan {
	plan := ricePlan{cost: 6}
	for k, s := range sum {
		n := uint64(size)
		if k == 0 {
			n -= uint64(order)
		}
		param, cost := riceParam(s, n)
		plan.param[k] = param
		plan.wide = plan.wide || param > 14
		plan.cost += cost + 4
	}
	if plan.wide {
		plan.cost += len(sum)
	}
	return plan
}

// riceParam returns the best parameter for n values of the given sum, and about
// how many bits they take.
func riceParam(sum, n uint64) (uint8, int) {
	mean := (sum + n/2) / max(n, 1)
	k := uint(0)
	if mean > 0 {
		k = uint(min(bits.Len64(mean)-1, flacMaxRice))
	}
	best, cost := uint8(0), ^uint64(0)
	for try := max(k, 1) - 1; try <= min(k+1, flacMaxRice); try++ {
		// Cutting off loses about half a unit of the quotient per value.
		quotients := (sum - min(sum, n<<try>>1)) >> try
		if c := n*uint64(try+1) + quotients; c < cost {
			best, cost = uint8(try), c
		}
	}
	return best, int(cost)
}

// write appends the coded residual of a subframe.
func (p *ricePlan) write(w *bitWriter, residual []int32, order int) {
	width := uint(4)
	if p.wide {
		width = 5
	}
	w.write(uint32(width-4), 2)
	w.write(uint32(p.partition), 4)
	size := len(residual) >> p.partition
	for k := range 1 << p.partition {
		param := uint(p.param[k])
		w.write(uint32(param), width)
		for _, x := range residual[max(k*size, order) : (k+1)*size] {
			u := fold(x)
			w.zeros(u >> param)
			w.write(1<<param|u&(1<<param-1), param+1)
		}
	}
}

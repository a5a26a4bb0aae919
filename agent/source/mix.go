package source

import "math"

// mixer maps frames from one number of channels to another.
type mixer struct {
	in, out int
	gain    []float32 // out rows of in columns; nil copies
}

// newMixer returns a mixer with these rules:
//
//   - the same number: copied;
//   - one to more: the channel goes to left and right, the rest is silent;
//   - two or more to more: copied, the added channels are silent;
//   - to two: centre at -3 dB on both sides, surround pairs at -3 dB on their
//     side, no LFE, scaled down so that the sum cannot clip;
//   - to one: the mean of the two that the rule above gives;
//   - otherwise: the surplus channels are left out.
func newMixer(in, out int) *mixer {
	m := &mixer{in: in, out: out}
	if in == out {
		return m
	}
	m.gain = make([]float32, in*out)
	switch {
	case in == 1:
		for o := range min(out, 2) {
			m.gain[o] = 1
		}
	case out == 2 && in > 2:
		copy(m.gain, stereoGains(in))
	case out == 1:
		g := stereoGains(in)
		for i := range in {
			m.gain[i] = (g[i] + g[in+i]) / 2
		}
	default:
		for c := range min(in, out) {
			m.gain[c*in+c] = 1
		}
	}
	return m
}

// stereoGains returns the rows that make left and right of in channels.
func stereoGains(in int) []float32 {
	const left, right, both, none = 'L', 'R', 'C', '-'
	layouts := [...]string{"", "C", "LR", "LRC", "LRlr", "LRClr", "LRC-lr", "LRC-clr", "LRC-lrlr"}
	g := make([]float32, 2*in)
	sum := [2]float64{}
	for c, kind := range layouts[in] {
		l, r := 0.0, 0.0
		switch kind {
		case left:
			l = 1
		case right:
			r = 1
		case 'l':
			l = math.Sqrt2 / 2
		case 'r':
			r = math.Sqrt2 / 2
		case both, 'c':
			l, r = math.Sqrt2/2, math.Sqrt2/2
		case none:
		}
		g[c], g[in+c] = float32(l), float32(r)
		sum[0] += l
		sum[1] += r
	}
	scale := float32(1 / max(sum[0], sum[1]))
	for i := range g {
		g[i] *= scale
	}
	return g
}

// append appends the frames of src, mapped, to dst.
func (m *mixer) append(dst, src []float32) []float32 {
	if m.gain == nil {
		return append(dst, src...)
	}
	for ; len(src) >= m.in; src = src[m.in:] {
		for o := range m.out {
			sum := float32(0)
			for i, g := range m.gain[o*m.in : (o+1)*m.in] {
				sum += g * src[i]
			}
			dst = append(dst, sum)
		}
	}
	return dst
}

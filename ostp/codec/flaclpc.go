package codec

import "math"

const lpcMaxOrder = 8

// lpcModel predicts a sample from the ones before it: the sum of
// coef[k]·x[i-1-k], shifted down.
type lpcModel struct {
	order     int
	coef      [lpcMaxOrder]int32
	precision int // bits of a coefficient
	shift     int
}

// residual writes what the model does not predict; it fails where that needs
// more than 31 bits.
func (m *lpcModel) residual(dst, x []int32) bool {
	coef := m.coef[:m.order]
	for i := m.order; i < len(x); i++ {
		sum := int64(0)
		past := x[i-m.order : i]
		for k, c := range coef {
			sum += int64(c) * int64(past[len(past)-1-k])
		}
		r := int64(x[i]) - sum>>m.shift
		if r >= 1<<30 || r < -1<<30 {
			return false
		}
		dst[i] = int32(r)
	}
	return true
}

// write appends the coefficients.
func (m *lpcModel) write(w *bitWriter) {
	w.write(uint32(m.precision-1), 4)
	w.write(uint32(m.shift), 5)
	for _, c := range m.coef[:m.order] {
		w.write(uint32(c), uint(m.precision))
	}
}

// lpcAnalysis fits models to frames.
type lpcAnalysis struct {
	window, windowed []float64
}

// flacWindow returns a window with cosine flanks over a quarter of the frame at
// either end.
func flacWindow(frames int) []float64 {
	w := make([]float64, frames)
	flank := frames / 4
	for i := range w {
		w[i] = 1
		if d := min(i, frames-1-i); d < flank {
			w[i] = 0.5 - 0.5*math.Cos(math.Pi*(float64(d)+0.5)/float64(flank))
		}
	}
	return w
}

// fit returns the model of an order for samples of the given depth.
func (a *lpcAnalysis) fit(x []int32, order, depth int) (lpcModel, bool) {
	var auto [lpcMaxOrder + 1]float64
	for i, v := range x {
		a.windowed[i] = float64(v) * a.window[i]
	}
	for lag := range order + 1 {
		for i := lag; i < len(x); i++ {
			auto[lag] += a.windowed[i] * a.windowed[i-lag]
		}
	}
	coef, ok := levinson(auto[:order+1])
	if !ok {
		return lpcModel{}, false
	}
	precision := 12
	if depth > 17 {
		precision = 14
	}
	if len(x) <= 256 {
		precision -= 2 // short frames cannot pay for more
	}
	return quantizeLPC(coef[:order], precision)
}

// levinson solves for the predictor of an autocorrelation (Levinson and
// Durbin). It fails on signals without noise, where it would divide by zero.
func levinson(auto []float64) (coef [lpcMaxOrder]float64, ok bool) {
	rest := auto[0] * (1 + 1e-9)
	for i := range len(auto) - 1 {
		if rest <= 0 {
			return coef, false
		}
		r := auto[i+1]
		for k := range i {
			r -= coef[k] * auto[i-k]
		}
		r /= rest
		old := coef
		coef[i] = r
		for k := range i {
			coef[k] = old[k] - r*old[i-1-k]
		}
		rest *= 1 - r*r
	}
	return coef, true
}

// quantizeLPC rounds coefficients to integers of the given precision, passing
// the error of each on to the next.
func quantizeLPC(coef []float64, precision int) (lpcModel, bool) {
	largest := 0.0
	for _, c := range coef {
		largest = max(largest, math.Abs(c))
	}
	if !(largest > 0 && largest < 1<<14) {
		return lpcModel{}, false
	}
	_, exponent := math.Frexp(largest)
	m := lpcModel{order: len(coef), precision: precision, shift: min(precision-1-exponent, 15)}
	if m.shift < 0 {
		return lpcModel{}, false
	}
	top := float64(int(1)<<(precision-1) - 1)
	carry := 0.0
	for k, c := range coef {
		want := c*float64(int(1)<<m.shift) + carry
		got := max(min(math.Round(want), top), -top-1)
		m.coef[k], carry = int32(got), want-got
	}
	return m, true
}

package codec

// quantizer rounds float32 samples to integers of 16 or 24 bits. At 16 bits it
// adds triangular dither of ±1 step, so that quiet music fades into smooth
// noise instead of distortion.
type quantizer struct {
	bits   int
	dither bool
	state  uint64
}

func newQuantizer(bits int, p Params) quantizer {
	return quantizer{bits: bits, dither: bits == 16 && !p.NoDither, state: p.Seed}
}

// scale returns the integer of full scale.
func (q *quantizer) scale() float64 { return float64(int(1) << (q.bits - 1)) }

// quantize writes the integers of pcm to dst, which is as long. Packets that
// lie on the grid already (16-bit material, silence) pass unchanged.
func (q *quantizer) quantize(dst []int32, pcm []float32) {
	scale := q.scale()
	dst = dst[:len(pcm)]
	if q.dither && !onGrid(pcm, float32(scale)) {
		for i, x := range pcm {
			dst[i] = round(float64(x)*scale+q.triangle(), scale)
		}
		return
	}
	for i, x := range pcm {
		dst[i] = round(float64(x)*scale, scale)
	}
}

// onGrid tells whether every sample is an integer after scaling.
func onGrid(pcm []float32, scale float32) bool {
	for _, x := range pcm {
		y := x * scale
		if !(y >= -scale && y < scale) || y != float32(int32(y)) {
			return false
		}
	}
	return true
}

// triangle returns noise between -1 and 1 with a triangular distribution.
func (q *quantizer) triangle() float64 {
	// A 64-bit linear congruential generator; its upper halves are good enough
	// for noise that nobody can hear. Two 32-bit draws make the triangle.
	q.state = q.state*6364136223846793005 + 1442695040888963407
	a := q.state >> 32
	q.state = q.state*6364136223846793005 + 1442695040888963407
	b := q.state >> 32
	return (float64(a) - float64(b)) / (1 << 32)
}

// round returns the integer nearest to x, within full scale; NaN becomes 0.
func round(x, scale float64) int32 {
	switch {
	case x >= scale-1:
		return int32(scale) - 1
	case x <= -scale:
		return -int32(scale)
	case x != x:
		return 0
	}
	// Shifted above zero, cutting off rounds down: faster than math.Floor.
	return int32(x+scale+0.5) - int32(scale)
}

// clip limits x to full scale; NaN becomes 0.
func clip(x float32) float32 {
	switch {
	case x > 1:
		return 1
	case x < -1:
		return -1
	case x != x:
		return 0
	}
	return x
}

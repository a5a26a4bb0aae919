// Package resample reads a sampled signal at any point between its samples.
//
// It is a polyphase interpolator: a Kaiser-windowed sinc, tabulated at many
// phases, with the coefficients interpolated linearly between two neighbouring
// phases. Since every output frame names its own position in the input, the
// ratio can be steered continuously, by parts per million, and nothing is ever
// dropped or doubled: correcting a drifting clock leaves no trace above the
// noise floor (TestPurity holds the figure).
//
// A [Kernel] is immutable and may be shared between goroutines. A [Converter]
// is a stream with a fixed nominal ratio and belongs to one goroutine. Audio is
// interleaved float32. Positions count input frames.
//
// The design follows J. O. Smith's "Digital Audio Resampling" (bandlimited
// interpolation); the window is Kaiser's.
package resample

import "math"

// Playout taps and phases: 48 taps hold 20 kHz flat at 48 kHz with images more
// than 120 dB down, 1024 phases keep linear interpolation below that too.
const (
	playoutTaps  = 48
	convertTaps  = 128
	tablePhases  = 1024
	kaiserBeta   = 12.2
	maxDownscale = 64
)

// Kernel is an interpolation filter.
type Kernel struct {
	taps int
	coef []float32 // tablePhases+1 rows of taps coefficients
}

// NewKernel returns the filter for playout at nearly the input's rate.
func NewKernel() *Kernel { return newKernel(playoutTaps, 1) }

// newKernel tabulates taps coefficients at each phase for a cutoff given as a
// fraction of the input's Nyquist frequency, 0 < cutoff ≤ 1.
func newKernel(taps int, cutoff float64) *Kernel {
	k := &Kernel{taps: taps, coef: make([]float32, (tablePhases+1)*taps)}
	row := make([]float64, taps)
	half := float64(taps / 2)
	for p := 0; p <= tablePhases; p++ {
		frac := float64(p) / tablePhases
		sum := 0.0
		for i := range row {
			x := float64(i) - (half - 1) - frac
			row[i] = cutoff * sinc(cutoff*x) * kaiser(x/half)
			sum += row[i]
		}
		for i, c := range row { // unity gain at DC in every phase
			k.coef[p*taps+i] = float32(c / sum)
		}
	}
	return k
}

// Before returns how many input frames before a position's whole part an output
// frame needs; After how many after it.
func (k *Kernel) Before() int { return k.taps/2 - 1 }

// After returns how many input frames behind a position's whole part an output
// frame needs.
func (k *Kernel) After() int { return k.taps / 2 }

// Track says where output frames fall in the input: frame i of a block lies at
// Pos + i·Step + i·(i−1)/2·Slope. A track whose Step changes by Slope
// moves smoothly from one ratio to another.
type Track struct {
	Pos   float64 // position of the first output frame, in input frames
	Step  float64 // input frames per output frame (1 = same rate)
	Slope float64 // change of Step per output frame
}

// At returns the track as it continues at output frame n.
func (t Track) At(n int) Track {
	f := float64(n)
	return Track{Pos: t.Pos + f*t.Step + f*(f-1)/2*t.Slope, Step: t.Step + f*t.Slope, Slope: t.Slope}
}

// Interpolate fills dst with the frames of src that lie along t, and returns how
// many frames it wrote: fewer than dst holds when src ends. Both are interleaved
// with the given number of channels. t.Pos must be at least Before().
func (k *Kernel) Interpolate(dst, src []float32, channels int, t Track) int {
	frames := len(dst) / channels
	have := len(src) / channels
	for n := range frames {
		at := t.At(n).Pos
		whole := int(at)
		first := whole - k.Before()
		if first < 0 || whole+k.After() >= have {
			return n
		}
		phase := (at - float64(whole)) * tablePhases
		p := int(phase)
		w := float32(phase - float64(p))
		a := k.coef[p*k.taps : (p+1)*k.taps]
		b := k.coef[(p+1)*k.taps : (p+2)*k.taps]
		out := dst[n*channels : (n+1)*channels]
		in := src[first*channels : (first+k.taps)*channels]
		switch channels {
		case 1:
			out[0] = dot1(a, b, w, in)
		case 2:
			out[0], out[1] = dot2(a, b, w, in)
		default:
			dotN(out, a, b, w, in)
		}
	}
	return frames
}

// dot1 is one output sample of one channel. len(a) is a multiple of four.
func dot1(a, b []float32, w float32, in []float32) float32 {
	var s0, s1, s2, s3 float32
	for len(a) >= 4 && len(b) >= 4 && len(in) >= 4 {
		x, y, s := (*[4]float32)(a), (*[4]float32)(b), (*[4]float32)(in)
		s0 += (x[0] + w*(y[0]-x[0])) * s[0]
		s1 += (x[1] + w*(y[1]-x[1])) * s[1]
		s2 += (x[2] + w*(y[2]-x[2])) * s[2]
		s3 += (x[3] + w*(y[3]-x[3])) * s[3]
		a, b, in = a[4:], b[4:], in[4:]
	}
	return (s0 + s1) + (s2 + s3)
}

// dot2 is one output frame of two channels. len(a) is a multiple of four.
func dot2(a, b []float32, w float32, in []float32) (left, right float32) {
	var l0, l1, r0, r1 float32
	for len(a) >= 4 && len(b) >= 4 && len(in) >= 8 {
		x, y, s := (*[4]float32)(a), (*[4]float32)(b), (*[8]float32)(in)
		c0 := x[0] + w*(y[0]-x[0])
		c1 := x[1] + w*(y[1]-x[1])
		c2 := x[2] + w*(y[2]-x[2])
		c3 := x[3] + w*(y[3]-x[3])
		l0 += c0 * s[0]
		r0 += c0 * s[1]
		l1 += c1 * s[2]
		r1 += c1 * s[3]
		l0 += c2 * s[4]
		r0 += c2 * s[5]
		l1 += c3 * s[6]
		r1 += c3 * s[7]
		a, b, in = a[4:], b[4:], in[8:]
	}
	return l0 + l1, r0 + r1
}

// dotN is one output frame of any number of channels.
func dotN(out, a, b []float32, w float32, in []float32) {
	clear(out)
	n := len(out)
	for i, x := range a {
		c := x + w*(b[i]-x)
		for ch, s := range in[i*n : (i+1)*n] {
			out[ch] += c * s
		}
	}
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// kaiser is the window at x in [−1, 1].
func kaiser(x float64) float64 {
	if x <= -1 || x >= 1 {
		return 0
	}
	return bessel0(kaiserBeta*math.Sqrt(1-x*x)) / bessel0(kaiserBeta)
}

// bessel0 is the modified Bessel function of the first kind and order zero, by
// its power series.
func bessel0(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-17; k++ {
		term *= x * x / (4 * k * k)
		sum += term
	}
	return sum
}

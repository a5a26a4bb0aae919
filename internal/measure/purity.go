package measure

import (
	"errors"
	"math"
	"math/cmplx"

	"gonum.org/v1/gonum/dsp/fourier"
)

// Purity measures THD+N of a recorded tone, in dB below the tone: everything from
// 20 Hz to 20 kHz but the tone itself, which is cut out no wider than the window
// smears it (±20 Hz; AES17 allows far more). The window is Blackman–Harris of
// seven terms, whose side lobes lie at −180 dB.
func Purity(samples []float32, rate, tone float64) (float64, error) {
	const size = 1 << 16
	if len(samples) < size {
		return 0, errors.New("too short: 1.4 s of tone are needed")
	}
	terms := []float64{0.27105140069342, -0.43329793923448, 0.21812299954311, -0.06592544638803, 0.01081174209837, -0.00077658482522, 0.00001388721735}
	x := make([]float64, size)
	for i := range x {
		w := 0.0
		for k, a := range terms {
			w += a * math.Cos(2*math.Pi*float64(k)*float64(i)/size)
		}
		x[i] = w * float64(samples[i])
	}
	var signal, rest float64
	for i, c := range fourier.NewFFT(size).Coefficients(nil, x) {
		f := float64(i) * rate / size
		p := real(c * cmplx.Conj(c))
		switch {
		case math.Abs(f-tone) <= 20:
			signal += p
		case f >= 20 && f <= 20000:
			rest += p
		}
	}
	if signal == 0 {
		return 0, errors.New("no tone")
	}
	return 10 * math.Log10(rest/signal), nil
}

// Gaps counts the places where a tone breaks: where the signal differs from what
// its last two samples predict by more than limit. step is the tone's frequency
// over the rate.
func Gaps(samples []float32, step, limit float64) (gaps int) {
	turn := 2 * math.Cos(2*math.Pi*step)
	quiet := 0
	for i := 2; i < len(samples); i++ {
		e := float64(samples[i]) - turn*float64(samples[i-1]) + float64(samples[i-2])
		quiet--
		if math.Abs(e) > limit && quiet <= 0 {
			gaps++
			quiet = 480 // one break is counted once
		}
	}
	return gaps
}

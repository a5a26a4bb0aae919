// Package measure judges recordings: how far two speakers are apart, how pure a
// tone is, where gaps are. It is what the figures in the README come from, so it
// shares nothing with the code it judges but the resampling kernel.
//
// Times are seconds of CLOCK_MONOTONIC unless said otherwise. Everything is pure
// and safe for concurrent use.
package measure

import (
	"errors"
	"fmt"
	"math"
	"math/cmplx"
	"slices"
	"sort"
	"time"

	"gonum.org/v1/gonum/dsp/fourier"

	"github.com/tutti-audio/tutti/sync/resample"
)

// Recording is one channel of what a DAC played, and when.
type Recording struct {
	Samples  []float32
	Instants []Instant // ascending
}

// Instant says that a frame left the DAC at Nanos of CLOCK_MONOTONIC.
type Instant struct {
	Frame int
	Nanos int64
}

// frameAt returns the fractional frame that left at ns, and frames per ns there.
func (r *Recording) frameAt(ns int64) (frame, rate float64, ok bool) {
	i := sort.Search(len(r.Instants), func(i int) bool { return r.Instants[i].Nanos > ns })
	if i == 0 || i == len(r.Instants) {
		return 0, 0, false
	}
	a, b := r.Instants[i-1], r.Instants[i]
	rate = float64(b.Frame-a.Frame) / float64(b.Nanos-a.Nanos)
	return float64(a.Frame) + float64(ns-a.Nanos)*rate, rate, true
}

// grid is the common rate that recordings are compared at.
const grid = 48000

// window reads windowSize samples of the recording on the grid from ns on: what left
// the DAC at those instants.
func (r *Recording) window(k *resample.Kernel, ns int64) ([]float64, bool) {
	from, rate, ok := r.frameAt(ns)
	if !ok || from < float64(k.Before()) {
		return nil, false
	}
	out := make([]float32, windowSize)
	if k.Interpolate(out, r.Samples, 1, resample.Track{Pos: from, Step: rate * 1e9 / grid}) < windowSize {
		return nil, false
	}
	wide := make([]float64, windowSize)
	for i, s := range out {
		wide[i] = float64(s)
	}
	return wide, true
}

// Offset is how much later b played the same sound than a, around an instant.
type Offset struct {
	Nanos int64 // CLOCK_MONOTONIC, middle of the window
	Late  time.Duration
}

const (
	windowSize = 32768  // samples: 0.68 s
	silence    = 1e-7   // mean power below which a window says nothing
	phaseLow   = 100.0  // Hz; band in which the phase is fitted
	phaseHigh  = 8000.0 //
	doubtful   = 96     // samples: an offset beyond that, 2 ms, must fit better than any within
)

// Align compares two recordings every step over the time both cover, looking for
// offsets up to a quarter of a second. Windows in which either is silent are left
// out.
func Align(a, b *Recording, step time.Duration) ([]Offset, error) {
	if len(a.Instants) < 2 || len(b.Instants) < 2 {
		return nil, errors.New("a recording without instants cannot be placed in time")
	}
	k := resample.NewKernel()
	c := newCorrelator()
	from := max(a.Instants[0].Nanos, b.Instants[0].Nanos)
	to := min(a.Instants[len(a.Instants)-1].Nanos, b.Instants[len(b.Instants)-1].Nanos)
	var all []Offset
	for at := from; at < to; at += int64(step) {
		x, okA := a.window(k, at)
		y, okB := b.window(k, at)
		if !okA || !okB || power(x) < silence || power(y) < silence || halfSilent(x, y) || c.edge(x) || c.edge(y) {
			continue
		}
		coarse := c.lag(x, y)
		if abs(coarse) > grid/4 {
			continue
		}
		shifted, ok := b.window(k, at+int64(float64(coarse)*1e9/grid))
		if !ok {
			continue
		}
		if abs(coarse) > doubtful { // what has just begun fits itself a period of its bass further
			if lag, fits := closest(x, y); fits >= alike(x, shifted) {
				coarse = lag
				if shifted, ok = b.window(k, at+int64(float64(coarse)*1e9/grid)); !ok {
					continue
				}
			}
		}
		fine := c.phaseDelay(x, shifted)
		late := time.Duration((float64(coarse) + fine) * 1e9 / grid)
		all = append(all, Offset{Nanos: at + windowSize*500_000_000/grid, Late: late})
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("the recordings have no %d ms of sound in common", windowSize*1000/grid)
	}
	return all, nil
}

// correlator compares windows of windowSize samples.
type correlator struct {
	fft   *fourier.FFT
	taper []float64
}

func newCorrelator() *correlator {
	c := &correlator{fft: fourier.NewFFT(2 * windowSize), taper: make([]float64, windowSize)}
	for i := range c.taper {
		c.taper[i] = 0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/windowSize)
	}
	return c
}

// edge reports whether nearly all of a window's sound lies at its edges, where the
// taper takes it: what is left of a tune's first note is a few periods of its bass,
// which fit each other a period further as well.
func (c *correlator) edge(x []float64) bool {
	const steady, least = 0.375, 0.5 // Hann's mean square, and the share of it asked for
	sum := 0.0
	for i, s := range x {
		sum += s * s * c.taper[i] * c.taper[i]
	}
	return sum/float64(len(x)) < steady*least*power(x)
}

func (c *correlator) spectrum(x []float64) []complex128 {
	padded := make([]float64, 2*windowSize)
	for i, s := range x {
		padded[i] = s * c.taper[i]
	}
	return c.fft.Coefficients(nil, padded)
}

// cross is the cross-spectrum of x and y.
func (c *correlator) cross(x, y []float64) []complex128 {
	s := c.spectrum(x)
	for i, v := range c.spectrum(y) {
		s[i] = cmplx.Conj(s[i]) * v
	}
	return s
}

// lag returns by how many whole samples y is late, at the peak of the
// correlation; whitened, so that a steady tone does not win over transients.
func (c *correlator) lag(x, y []float64) int {
	s := c.cross(x, y)
	for i, v := range s {
		s[i] = v / complex(math.Sqrt(cmplx.Abs(v))+1e-12, 0)
	}
	r := c.fft.Sequence(nil, s)
	best := 0
	for i := range r {
		if r[i] > r[best] {
			best = i
		}
	}
	if best > windowSize {
		best -= 2 * windowSize
	}
	return best
}

// phaseDelay returns the fraction of a sample by which y is late, from the slope
// of the cross-spectrum's phase, each frequency weighted by its power.
func (c *correlator) phaseDelay(x, y []float64) float64 {
	s := c.cross(x, y)
	const bin = grid / (2.0 * windowSize) // Hz
	low, high := int(math.Ceil(phaseLow/bin)), int(math.Floor(phaseHigh/bin))
	delay := 0.0
	for range 4 { // unwrap by removing what is known
		num, den := 0.0, 0.0
		for i := low; i < high; i++ {
			w := 2 * math.Pi * float64(i) / (2 * windowSize)
			rest := cmplx.Phase(s[i] * cmplx.Rect(1, w*delay))
			weight := cmplx.Abs(s[i])
			num -= weight * w * rest
			den += weight * w * w
		}
		delay += num / den
	}
	return delay
}

func power(x []float64) float64 {
	sum := 0.0
	for _, s := range x {
		sum += s * s
	}
	return sum / float64(len(x))
}

// halfSilent reports whether a part of the window is silent in one recording only,
// as when one speaker joined later: a tonal sound that is cut off fits itself one
// period further as well.
func halfSilent(x, y []float64) bool {
	const parts = 16
	size := len(x) / parts
	for i := range parts {
		a, b := x[i*size:(i+1)*size], y[i*size:(i+1)*size]
		if (power(a) < silence) != (power(b) < silence) {
			return true
		}
	}
	return false
}

// alike is how much of one signal the other is: 1 for the same, however loud.
func alike(x, y []float64) float64 {
	xy, xx, yy := 0.0, 0.0, 0.0
	for i := range x {
		xy, xx, yy = xy+x[i]*y[i], xx+x[i]*x[i], yy+y[i]*y[i]
	}
	return xy / math.Sqrt(xx*yy)
}

// closest returns by how many samples, of few, y is late, and how well it fits then.
func closest(x, y []float64) (lag int, fits float64) {
	n := len(x)
	fits = -1
	for l := -doubtful; l <= doubtful; l++ {
		if fit := alike(x[max(0, -l):n-max(0, l)], y[max(0, l):n+min(0, l)]); fit > fits {
			lag, fits = l, fit
		}
	}
	return lag, fits
}

func abs(i int) int { return max(i, -i) }

// Percentile returns the p-th percentile (0 to 100) of the absolute values.
func Percentile(offsets []Offset, p float64) time.Duration {
	if len(offsets) == 0 {
		return 0
	}
	all := make([]time.Duration, len(offsets))
	for i, o := range offsets {
		all[i] = o.Late.Abs()
	}
	slices.Sort(all)
	return all[min(len(all)-1, int(math.Ceil(p/100*float64(len(all))))-1+boolInt(p == 0))]
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

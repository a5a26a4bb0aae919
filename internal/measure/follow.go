package measure

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/dsp/fourier"

	"github.com/tutti-audio/tutti/sync/resample"
)

// Break is a place where a recording does not go on as the original does.
type Break struct {
	Frame   int     // of the recording
	Skipped float64 // samples of the original left out there; below 0: played again
	Other   int     // frames of the recording that are nothing of the original
}

const (
	followWindow = 120  // frames: at 1.5 ‰ a resampler moves by 0.18 of a sample in it
	followStep   = 0.25 // of a sample: beyond that the original was left
	searchEvery  = 2    // windows, while nothing is found
	followNoise  = 0.02 // power of what is left over, over that of the recording
	beginTries   = 4
	beginStep    = 12000
	searchWindow = 2048
	searchSize   = 65536
)

// Follow finds each place where a recording leaves its original: where samples are left
// out or played twice, or something else is heard. The recording may be resampled by up
// to 1.5 ‰ and be louder or softer. The original must be noise, or else like itself
// nowhere but in one place, without much above 4 kHz; both are at the same rate. The
// recording is followed from where it is first found on. from is that frame.
func Follow(original, recording []float32) (breaks []Break, from int, err error) {
	f := &follower{original: original, recording: recording, kernel: resample.NewKernel(), fft: fourier.NewFFT(searchSize)}
	at, n, ok := f.begin()
	if !ok {
		return nil, 0, errors.New("the recording has nothing of the original")
	}
	from = n
	other, expected := 0, at
	for ; n+followWindow <= len(recording) && int(expected) < len(original)-searchSize; n += followWindow {
		found, ok := f.refine(n, expected)
		if !ok && other%(searchEvery*followWindow) == 0 {
			found, ok = f.search(n, expected)
		}
		if !ok {
			other += followWindow
			expected += followWindow
			continue
		}
		if step := found - expected; math.Abs(step) > followStep || other > 0 {
			b := Break{Frame: n, Other: other}
			if math.Abs(step) > followStep+0.001*float64(other) {
				b.Skipped = step
			}
			breaks = append(breaks, b)
		}
		other, expected = 0, found+followWindow
	}
	if other > 0 {
		breaks = append(breaks, Break{Frame: n, Other: other})
	}
	return breaks, from, nil
}

// follower keeps what Follow works with.
type follower struct {
	original, recording []float32
	kernel              *resample.Kernel
	fft                 *fourier.FFT
	around              [followWindow + 2]float32
}

// begin finds where the recording begins: a frame, and its place in the original.
func (f *follower) begin() (at float64, frame int, ok bool) {
	for frame < len(f.recording) && math.Abs(float64(f.recording[frame])) < 0.01 {
		frame++
	}
	frame += followWindow
	for range beginTries { // the first sound may be faded in, or the very beginning
		for near := searchSize / 2; near < len(f.original)-searchSize/2; near += searchSize / 2 {
			if at, ok = f.search(frame, float64(near)); ok {
				return at, frame, true
			}
		}
		frame += beginStep
	}
	return 0, 0, false
}

// refine finds the place in the original of a window that is at most a few samples away
// from where it is expected, by least squares.
func (f *follower) refine(n int, expected float64) (at float64, ok bool) {
	at = expected
	r := f.recording[n : n+followWindow]
	for range 6 {
		if at < float64(f.kernel.Before()+2) || f.kernel.Interpolate(f.around[:], f.original, 1, resample.Track{Pos: at - 1, Step: 1}) < len(f.around) {
			return 0, false
		}
		var rr, rx, xx, rd, xd, dd float64
		for i, v := range r {
			y, x, d := float64(v), float64(f.around[i+1]), float64(f.around[i+2]-f.around[i])/2
			rr, rx, xx, rd, xd, dd = rr+y*y, rx+y*x, xx+x*x, rd+y*d, xd+x*d, dd+d*d
		}
		if rr < followWindow*1e-8 || xx == 0 || dd == 0 || rx <= 0 {
			return 0, false
		}
		gain := rx / xx
		move := (rd - gain*xd) / (gain * dd)
		if left := rr - rx*rx/xx; math.Abs(move) < 0.02 {
			return at + move, left < followNoise*rr
		}
		at += max(-2, min(2, move))
		if math.Abs(at-expected) > 8 {
			return 0, false
		}
	}
	return 0, false
}

// search looks for a window half a second around a place.
func (f *follower) search(n int, near float64) (at float64, ok bool) {
	first := int(near) - searchSize/2 + searchWindow/2
	if n+searchWindow > len(f.recording) || first < 0 || first+searchSize > len(f.original) {
		return 0, false
	}
	x, y := make([]float64, searchSize), make([]float64, searchSize)
	for i := range x {
		x[i] = float64(f.original[first+i])
	}
	for i := range searchWindow {
		y[i] = float64(f.recording[n+i])
	}
	a, b := f.fft.Coefficients(nil, x), f.fft.Coefficients(nil, y)
	for i := range a {
		a[i] *= complex(real(b[i]), -imag(b[i]))
	}
	best := 0
	for i, v := range f.fft.Sequence(x, a)[:searchSize-searchWindow] {
		if v > x[best] {
			best = i
		}
	}
	return f.refine(n, float64(first+best))
}

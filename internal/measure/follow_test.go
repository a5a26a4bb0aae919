package measure

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tutti-audio/tutti/sync/resample"
)

// rustle is noise without much above 4 kHz.
func rustle(n int) []float32 {
	rng := rand.New(rand.NewPCG(1, 2))
	out := make([]float32, n)
	var a, b float64
	for i := range out {
		a += 0.2 * (rng.NormFloat64() - a)
		b += 0.2 * (a - b)
		out[i] = float32(b)
	}
	return out
}

// playedAs resamples by ppm that swing, from a frame of the original on.
func playedAs(original []float32, from, frames int, ppm float64) []float32 {
	out := make([]float32, 0, frames+4800)
	out = append(out, make([]float32, 4800)...) // silence first
	pos := float64(from)
	k := resample.NewKernel()
	one := make([]float32, 48)
	for i := 0; i < frames; i += len(one) {
		step := 1 + 1e-6*ppm*math.Sin(float64(i)/48000)
		k.Interpolate(one, original, 1, resample.Track{Pos: pos, Step: step})
		pos += step * float64(len(one))
		for _, x := range one {
			out = append(out, 0.7*x)
		}
	}
	return out
}

// TestFollow: resampling is no break, one sample more or less is one, and so is a pause.
func TestFollow(t *testing.T) {
	original := rustle(6 * 48000)
	whole := playedAs(original, 50000, 2*48000, 700)
	const at = 48000 + 77
	cases := map[string]struct {
		recording []float32
		skipped   float64
		other     bool
	}{
		"whole":     {recording: whole},
		"one less":  {recording: append(append([]float32{}, whole[:at]...), whole[at+1:]...), skipped: 1},
		"one twice": {recording: append(append([]float32{}, whole[:at]...), whole[at-1:]...), skipped: -1},
		"a packet":  {recording: append(append([]float32{}, whole[:at]...), whole[at+480:]...), skipped: 480},
		"a pause":   {recording: append(append(append([]float32{}, whole[:at]...), make([]float32, 960)...), whole[at+960:]...), other: true},
	}
	for name, c := range cases {
		breaks, from, err := Follow(original, c.recording)
		if err != nil || from < 4800 || from > 4800+2*followWindow {
			t.Fatalf("%s: found from frame %d on: %v", name, from, err)
		}
		skipped, other := 0.0, 0
		for _, b := range breaks {
			skipped, other = skipped+b.Skipped, other+b.Other
			if b.Frame < at-2*followWindow || b.Frame > at+searchWindow+960 {
				t.Errorf("%s: a break at %d, want it near %d", name, b.Frame, at)
			}
		}
		if c.skipped == 0 && !c.other && len(breaks) > 0 || math.Abs(skipped-c.skipped) > 0.7 || c.other != (other >= 960) {
			t.Errorf("%s: %+v", name, breaks)
		}
		if c.skipped != 0 && len(breaks) == 0 {
			t.Errorf("%s: no break is found", name)
		}
	}
	if _, _, err := Follow(original, rustle(48000)[:0]); err == nil {
		t.Error("an empty recording is found in the original")
	}
}

package resample

import (
	"math"
	"testing"
)

func sine(n, channels int, freq, rate float64) []float32 {
	s := make([]float32, n*channels)
	for i := range n {
		for c := range channels {
			s[i*channels+c] = float32(0.5 * math.Sin(2*math.Pi*freq*float64(i)/rate+float64(c)))
		}
	}
	return s
}

// TestPurity reads a sine along a track that runs 300 ppm fast and compares each
// output with the sine's true value there: the error is everything the
// resampler added.
func TestPurity(t *testing.T) {
	k := NewKernel()
	for _, freq := range []float64{100, 1000, 10000, 18000, 20000} {
		src := sine(60000, 2, freq, 48000)
		dst := make([]float32, 2*48000)
		track := Track{Pos: float64(k.Before()), Step: 1.0003}
		n := k.Interpolate(dst, src, 2, track)
		var power, wrong float64
		for i := range n {
			want := 0.5 * math.Sin(2*math.Pi*freq*track.At(i).Pos/48000)
			power += want * want
			wrong += math.Pow(float64(dst[2*i])-want, 2)
		}
		if db := 10 * math.Log10(wrong/power); db > -115 {
			t.Errorf("%5.0f Hz at +300 ppm: error %.1f dB, want below -115", freq, db)
		} else {
			t.Logf("%5.0f Hz at +300 ppm: error %.1f dB", freq, db)
		}
	}
}

// TestChannels holds the three inner loops against each other.
func TestChannels(t *testing.T) {
	k := NewKernel()
	src := sine(500, 1, 997, 48000)
	track := Track{Pos: 30.25, Step: 0.9997, Slope: 1e-8}
	want := make([]float32, 300)
	k.Interpolate(want, src, 1, track)
	for _, channels := range []int{2, 3, 8} {
		wide := make([]float32, len(src)*channels)
		for i, s := range src {
			for c := range channels {
				wide[i*channels+c] = s
			}
		}
		got := make([]float32, len(want)*channels)
		if n := k.Interpolate(got, wide, channels, track); n != len(want) {
			t.Fatalf("%d channels: %d frames, want %d", channels, n, len(want))
		}
		for i, w := range want {
			for c := range channels {
				if d := math.Abs(float64(got[i*channels+c] - w)); d > 1e-6 {
					t.Fatalf("%d channels: frame %d channel %d differs by %g", channels, i, c, d)
				}
			}
		}
	}
}

func TestInterpolateStopsAtTheEdges(t *testing.T) {
	k := NewKernel()
	src := make([]float32, 100)
	dst := make([]float32, 100)
	if n := k.Interpolate(dst, src, 1, Track{Pos: float64(k.Before()), Step: 1}); n != 100-48+1 {
		t.Errorf("wrote %d frames of 100, want %d", n, 100-48+1)
	}
	if n := k.Interpolate(dst, src, 1, Track{Pos: 3, Step: 1}); n != 0 {
		t.Errorf("wrote %d frames before the first, want 0", n)
	}
}

// TestConverter converts sines between usual rates, in odd pieces, and compares
// with the true value at each output instant.
func TestConverter(t *testing.T) {
	for _, rates := range [][2]int{{44100, 48000}, {48000, 44100}, {96000, 48000}, {192000, 48000}, {8000, 48000}, {22050, 48000}, {48000, 48000}} {
		in, out := rates[0], rates[1]
		freq := 0.4 * float64(min(in, out))
		src := sine(in/2, 2, freq, float64(in))
		c := NewConverter(in, out, 2)
		var got []float32
		piece := make([]float32, 2*317)
		for rest := src; ; {
			w, used := c.Process(piece, rest[:min(len(rest), 2*411)])
			got = append(got, piece[:2*w]...)
			rest = rest[2*used:]
			if len(rest) == 0 && w == 0 {
				break
			}
		}
		for n := len(piece) / 2; n == len(piece)/2; {
			n = c.Flush(piece)
			got = append(got, piece[:2*n]...)
		}
		if d := len(got)/2 - out/2; d < -1 || d > 1 {
			t.Errorf("%d→%d: %d frames, want %d", in, out, len(got)/2, out/2)
		}
		var power, wrong float64
		edge := 200 + 64*out/in // the filter meets silence there
		for i := edge; i < out/2-edge; i++ {
			want := 0.5 * math.Sin(2*math.Pi*freq*float64(i)/float64(out))
			power += want * want
			wrong += math.Pow(float64(got[2*i])-want, 2)
		}
		if db := 10 * math.Log10(wrong/power); db > -105 {
			t.Errorf("%d→%d at %.0f Hz: error %.1f dB, want below -105", in, out, freq, db)
		}
	}
}

// TestStopBand checks that what a lower rate cannot hold is removed.
func TestStopBand(t *testing.T) {
	c := NewConverter(96000, 48000, 1)
	src := sine(48000, 1, 28000, 96000)
	dst := make([]float32, 30000)
	n, _ := c.Process(dst, src)
	var power float64
	for _, s := range dst[1000 : n-1000] {
		power += float64(s) * float64(s)
	}
	if db := 10 * math.Log10(power/float64(n-2000)/0.125); db > -100 {
		t.Errorf("28 kHz leaks into 48 kHz at %.1f dB", db)
	}
}

func BenchmarkInterpolateStereo(b *testing.B) {
	k := NewKernel()
	src, dst := make([]float32, 2*600), make([]float32, 2*480)
	b.ReportAllocs()
	for b.Loop() {
		k.Interpolate(dst, src, 2, Track{Pos: 30, Step: 1.0001})
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/480, "ns/frame")
}

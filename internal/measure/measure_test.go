package measure

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// record plays the sound s(t) on a card that runs ppm fast, delay late.
func record(s func(float64) float64, seconds, ppm float64, start int64, delay time.Duration) *Recording {
	r := &Recording{}
	rate := 48000 * (1 + ppm*1e-6)
	for i := range int(seconds * 48000) {
		t := float64(i) / rate
		if i%4800 == 0 {
			r.Instants = append(r.Instants, Instant{Frame: i, Nanos: start + int64(math.Round(t*1e9))})
		}
		r.Samples = append(r.Samples, float32(s(t+float64(start)*1e-9-delay.Seconds())))
	}
	return r
}

// music is band-limited noise: many tones at random.
func music() func(float64) float64 {
	rng := rand.New(rand.NewPCG(1, 1))
	var f, p [60]float64
	for i := range f {
		f[i], p[i] = 80*math.Pow(100, rng.Float64()), rng.Float64()*2*math.Pi
	}
	return func(t float64) (sum float64) {
		for i := range f {
			sum += math.Sin(2*math.Pi*f[i]*t + p[i])
		}
		return sum * 0.01
	}
}

func TestAlignFindsKnownDelays(t *testing.T) {
	s := music()
	a := record(s, 4, 120, 1e9, 0)
	for _, delay := range []time.Duration{0, 700 * time.Nanosecond, -13 * time.Microsecond, 333 * time.Microsecond, 12 * time.Millisecond, -50 * time.Millisecond} {
		b := record(s, 4, -150, 1e9+123456, delay)
		offsets, err := Align(a, b, time.Second/2)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range offsets {
			if d := (o.Late - delay).Abs(); d > 200*time.Nanosecond {
				t.Errorf("delay %v is measured as %v", delay, o.Late)
			}
		}
	}
}

// TestAlignLateJoiner: a speaker that joins later is not mistaken for one that is
// out of time, though the sound is tonal.
func TestAlignLateJoiner(t *testing.T) {
	bass := func(t float64) float64 { return 0.2*math.Sin(2*math.Pi*82.4*t) + 0.1*math.Sin(2*math.Pi*164.8*t) }
	late := func(t float64) float64 {
		if t < 1.9 {
			return 0
		}
		return bass(t)
	}
	offsets, err := Align(record(bass, 4, 0, 1e9, 0), record(late, 4, 0, 1e9, 0), time.Second/4)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range offsets {
		if o.Late.Abs() > time.Microsecond {
			t.Errorf("at %.2f s the late joiner is %v late", float64(o.Nanos)*1e-9, o.Late)
		}
	}
}

func TestAlignSilence(t *testing.T) {
	quiet := record(func(float64) float64 { return 0 }, 3, 0, 0, 0)
	if _, err := Align(quiet, quiet, time.Second); err == nil {
		t.Error("silence is found to be aligned")
	}
}

func TestPurity(t *testing.T) {
	for _, distortion := range []float64{1e-3, 1e-5, 3e-6} {
		x := make([]float32, 1<<16)
		for i := range x {
			w := 2 * math.Pi * 1000.3 * float64(i) / 48000
			x[i] = float32(0.25*math.Sin(w) + 0.25*distortion*math.Sin(3*w))
		}
		got, err := Purity(x, 48000, 1000)
		if want := 20 * math.Log10(distortion); err != nil || math.Abs(got-want) > 0.5 {
			t.Errorf("THD+N %.1f dB (%v), want %.1f", got, err, want)
		}
	}
}

func TestGaps(t *testing.T) {
	x := make([]float32, 48000)
	for i := range x {
		x[i] = float32(0.1 * math.Sin(2*math.Pi*1000*float64(i)/48000))
	}
	if n := Gaps(x, 1000.0/48000, 1e-3); n != 0 {
		t.Errorf("%d gaps in a clean tone", n)
	}
	clear(x[20000:20100])
	if n := Gaps(x, 1000.0/48000, 1e-3); n != 1 {
		t.Errorf("%d gaps, want 1", n)
	}
}

func TestPercentile(t *testing.T) {
	var offsets []Offset
	for i := range 100 {
		offsets = append(offsets, Offset{Late: -time.Duration(i + 1)})
	}
	for p, want := range map[float64]time.Duration{0: 1, 50: 50, 99: 99, 100: 100} {
		if got := Percentile(offsets, p); got != want {
			t.Errorf("percentile %g is %d, want %d", p, got, want)
		}
	}
}

// A window with sound in its last fifth only says nothing; with half it does.
func TestEdge(t *testing.T) {
	c := newCorrelator()
	for share, want := range map[float64]bool{0.2: true, 0.3: true, 0.5: false, 1: false} {
		x := make([]float64, windowSize)
		for i := int(float64(len(x)) * (1 - share)); i < len(x); i++ {
			x[i] = math.Sin(float64(i) * 0.01)
		}
		if c.edge(x) != want {
			t.Errorf("sound in the last %g of the window: edge %v", share, !want)
		}
	}
}

// TestAlignBeginning: of two that are in time one lacks the first hundredth of a second
// of a plucked bass, as from a card that is still waking, or is a little early, too; no
// window takes it for one that is a period of the bass late.
func TestAlignBeginning(t *testing.T) {
	for _, hz := range []float64{41.2, 55} {
		from := func(begin float64) func(float64) float64 {
			return func(t float64) float64 {
				if t -= 1.6; t < begin {
					return 0
				}
				return 0.4 * math.Exp(-3*t) * (math.Sin(2*math.Pi*hz*t) + 0.4*math.Sin(4*math.Pi*hz*t) + 0.1*math.Sin(6*math.Pi*hz*t))
			}
		}
		for _, late := range []time.Duration{0, -900 * time.Microsecond} {
			offsets, err := Align(record(from(0), 2.4, 0, 1e9, 0), record(from(0.01), 2.4, 0, 1e9, late), 40*time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range offsets {
				if (o.Late - late).Abs() > 2*time.Millisecond {
					t.Errorf("%g Hz, %v late: at %.3f s, %v", hz, late, float64(o.Nanos)*1e-9, o.Late)
				}
			}
		}
	}
}

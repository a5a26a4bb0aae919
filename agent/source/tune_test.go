package source

import (
	"math"
	"testing"
)

func TestTune(t *testing.T) {
	const seconds = 45 // into the middle part
	pcm := make([]float32, 2*seconds*Rate)
	newTune().render(pcm)
	peak, sum, differ := 0.0, 0.0, 0.0
	for i := 0; i < len(pcm); i += 2 {
		l, r := float64(pcm[i]), float64(pcm[i+1])
		peak = max(peak, math.Abs(l), math.Abs(r))
		sum += l*l + r*r
		differ += (l - r) * (l - r)
	}
	rms := 20 * math.Log10(math.Sqrt(sum/float64(len(pcm))))
	t.Logf("peak %.3f, RMS %.1f dBFS, sides differ by %.1f dB", peak, rms, 10*math.Log10(differ/sum))
	if peak > 0.9 || peak < 0.4 || rms < -26 || rms > -14 {
		t.Errorf("peak %.3f, RMS %.1f dBFS: the mix is off", peak, rms)
	}
	if differ/sum < 0.02 {
		t.Error("the tune is mono")
	}
	// The same samples in every run, however they are asked for.
	again := make([]float32, len(pcm)/8)
	other := newTune()
	for at := 0; at < len(again); {
		n := min(2*(1+at%977), len(again)-at)
		other.render(again[at : at+n])
		at += n
	}
	for i := range again {
		if pcm[i] != again[i] {
			t.Fatalf("sample %d: %g, then %g", i, pcm[i], again[i])
		}
	}
}

// Alignment is found by cross-correlation: each piece must have one sharp
// peak at lag 0 and nothing like it further away.
func TestTuneCorrelates(t *testing.T) {
	pcm := make([]float32, 2*14*Rate)
	newTune().render(pcm)
	const reach = 240 // 5 ms
	for s := 0; s < 13; s += 3 {
		at := 2 * (s*Rate + reach)
		self, worst := 0.0, 0.0
		for lag := 0; lag <= reach; lag++ {
			sum := 0.0
			prev, prevLag := float32(0), float32(0)
			for i := 0; i < Rate; i += 2 {
				a, b := pcm[at+i], pcm[at+i+2*lag]
				sum += float64(a-prev) * float64(b-prevLag)
				prev, prevLag = a, b
			}
			if lag == 0 {
				self = sum
			} else if lag > 20 {
				worst = max(worst, sum/self)
			}
		}
		if worst > 0.9 {
			t.Errorf("second %d: correlation %.3f at another lag", s, worst)
		}
	}
}

func BenchmarkTune(b *testing.B) {
	g := newTune()
	pcm := make([]float32, 2*480)
	b.ReportAllocs()
	for b.Loop() {
		g.render(pcm)
	}
	perSecond := b.Elapsed().Seconds() / float64(b.N) * 100
	b.ReportMetric(100*perSecond, "%core")
}

package syncsim

import (
	"math"
	"testing"
	"time"
)

func TestScenarios(t *testing.T) {
	length := 40 * time.Minute
	if testing.Short() {
		length = 10 * time.Minute
	}
	for _, test := range []struct {
		name             string
		network          Network
		p99, p999, first time.Duration
	}{
		{"wired", Wired(), 20 * time.Microsecond, 20 * time.Microsecond, 100 * time.Microsecond},
		{"5±3 ms, 2 % loss", Wireless(), 250 * time.Microsecond, 3 * time.Millisecond, 3 * time.Millisecond}, // its first seconds are the 99.9th percentile of so short a run,
	} {
		for seed := range uint64(2) {
			r := Run(House(seed, length, test.network))
			t.Logf("%s, seed %d: first %v, p50 %v, p99 %v, p99.9 %v, max %v, absolute %v, outside bound %.4f %%, ratio up to %.0f ppm, %d jumps",
				test.name, seed, r.First, r.P50, r.P99, r.P999, r.Max, r.Absolute, 100*r.OutsideBound, r.SteepestRatio, r.Jumps)
			if r.P99 > test.p99 || r.P999 > test.p999 || r.First > test.first || r.Jumps > 0 || r.OutsideBound > 0.001 || r.SteepestRatio > 700 {
				t.Errorf("%s, seed %d is beyond its limits (p99 %v, p99.9 %v, first %v)", test.name, seed, test.p99, test.p999, test.first)
			}
		}
	}
}

func TestSameSeedSameResult(t *testing.T) {
	s := House(7, time.Minute, Wired())
	if a, b := Run(s), Run(s); a.P999 != b.P999 || a.First != b.First || a.Max != b.Max {
		t.Errorf("two runs of one seed differ: %+v and %+v", a, b)
	}
}

func TestCrystalInverts(t *testing.T) {
	c := Crystal{PPM: 120, Swing: 3, Period: time.Minute, Phase: 1}
	for _, at := range []float64{0, 1, 33.3, 86400} {
		if got := c.When(c.Elapsed(at)); math.Abs(got-at) > 1e-9 {
			t.Errorf("When(Elapsed(%g)) is off by %g", at, got-at)
		}
	}
}

package envelope

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The line is found through noise of one sign, whatever its size: the longer the
// window, the better.
func TestLineOnTop(t *testing.T) {
	const slope = 1 + 73e-6
	for _, c := range []struct{ window, noise, ppm, off float64 }{{16, 1e-4, 3, 1e-5}, {64, 0.02, 40, 4e-4}} {
		random := rand.New(rand.NewPCG(1, 2))
		e := New(c.window)
		x := 0.0
		for x < 3*c.window {
			x += 0.005
			late := c.noise * random.Float64()
			e.Add(x, slope*x-late, 1)
		}
		if ppm := (e.Slope() - slope) * 1e6; math.Abs(ppm) > c.ppm {
			t.Errorf("noise of %g s: the slope is off by %.1f ppm", c.noise, ppm)
		}
		if off := e.Top(x, e.Slope()) - slope*x; math.Abs(off) > c.off {
			t.Errorf("noise of %g s: the line is off by %g s", c.noise, off)
		}
	}
}

// No point lies above the line, also after the window was widened.
func TestNothingAbove(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	e := New(8)
	for i := range 2000 {
		x := float64(i) * 0.01
		y := x - 0.1*random.ExpFloat64()
		e.Add(x, y, 1)
		if top := e.Top(x, 1); top < y {
			t.Fatalf("point %d is %g above the line", i, y-top)
		}
		if i == 1000 {
			before := e.Length()
			e.Widen(40, 1)
			if e.Window() != 40 || e.Length() < before/2 {
				t.Fatalf("widened to %g s, of which %g of %g are left", e.Window(), e.Length(), before)
			}
		}
	}
}

func TestNoAlloc(t *testing.T) {
	e := New(8)
	x := 0.0
	if n := testing.AllocsPerRun(1000, func() { x += 0.01; e.Add(x, x, 1) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

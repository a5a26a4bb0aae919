package panel

import (
	"math/rand/v2"
	"testing"
	"time"
)

const ms = time.Millisecond

// TestAmplifierOrder follows one evening of a power stage.
func TestAmplifierOrder(t *testing.T) {
	a := Amplifier{Idle: 60 * time.Second, Settle: 50 * ms, Fade: 200 * ms}
	for i, c := range []struct {
		at             time.Duration
		sound, closing bool
		want           Power
		again          time.Duration
	}{
		{0, false, false, Power{false, true}, Never},
		{1000 * ms, true, false, Power{true, true}, 50 * ms}, // on, but still silent
		{1030 * ms, true, false, Power{true, true}, 20 * ms},
		{1050 * ms, true, false, Power{true, false}, Never},
		{9000 * ms, true, false, Power{true, false}, Never},
		{9001 * ms, false, false, Power{true, false}, 60*time.Second - ms}, // a pause between songs
		{20000 * ms, true, false, Power{true, false}, Never},
		{80000 * ms, false, false, Power{true, true}, 200 * ms}, // 60 s after the last sound
		{80100 * ms, true, false, Power{true, false}, Never},    // caught while it fades
		{90000 * ms, false, true, Power{true, true}, 200 * ms},  // the speaker ends
		{90100 * ms, true, true, Power{true, true}, 100 * ms},
		{90200 * ms, true, true, Power{false, true}, Never},
	} {
		got, again := a.Step(c.at, c.sound, c.closing)
		if got != c.want || again != c.again {
			t.Errorf("%d: at %v: %+v, again %v; want %+v, %v", i, c.at, got, again, c.want, c.again)
		}
	}
}

// TestAmplifierNeverPops: whatever happens when, the stage is only ever switched
// in silence that has lasted.
func TestAmplifierNeverPops(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		a := Amplifier{Idle: time.Duration(r.IntN(3000)) * ms, Settle: time.Duration(r.IntN(100)) * ms, Fade: time.Duration(r.IntN(300)) * ms}
		var now, loud, switched time.Duration = 0, -time.Hour, -time.Hour
		was := Power{Hush: true}
		sound := false
		for range 300 {
			got, again := a.Step(now, sound, false)
			if again <= 0 {
				t.Fatalf("steps again after %v", again)
			}
			if !got.Hush && !got.On {
				t.Fatal("sounds while off")
			}
			if got.On != was.On {
				if now-loud < a.Fade {
					t.Fatalf("switched %v after sound, want %v", now-loud, a.Fade)
				}
				switched = now
			}
			if !got.Hush && was.Hush && now-switched < a.Settle {
				t.Fatalf("sounds %v after it was switched", now-switched)
			}
			if !got.Hush {
				loud = now
			}
			was = got
			step := time.Duration(1+r.IntN(400)) * ms
			if again < step && r.IntN(3) > 0 {
				step = again
			}
			if !got.Hush {
				loud = now + step // it sounds until the next step
			}
			now += step
			sound = r.IntN(3) == 0
		}
	}
}

func TestLights(t *testing.T) {
	for l := Dark; l <= ThreeFlash; l++ {
		on, changes := time.Duration(0), 0
		for at := time.Duration(0); at < 12*time.Second; {
			lit, again := l.At(at)
			if again <= 0 {
				t.Fatalf("light %d at %v: again %v", l, at, again)
			}
			again = min(again, 12*time.Second-at)
			if lit {
				on += again
			}
			changes++
			at += again
		}
		want := []time.Duration{0, 12 * time.Second, 11200 * ms, 6 * time.Second, 6 * time.Second, 1920 * ms, 2880 * ms}[l]
		if on != want {
			t.Errorf("light %d is on for %v of 12 s in %d steps, want %v", l, on, changes, want)
		}
	}
}

func TestButton(t *testing.T) {
	type at struct {
		time   int // ms
		closed bool
		want   Push
	}
	for name, c := range map[string]struct {
		repeat bool
		steps  []at
	}{
		"a press that bounces": {false, []at{{0, true, None}, {2, false, None}, {4, true, None}, {10, true, None}, {19, true, None}, {100, false, None}, {103, true, None}, {105, false, None}, {120, false, Press}, {500, false, None}}},
		"a crackle":            {false, []at{{0, true, None}, {5, false, None}, {30, false, None}}},
		"held":                 {false, []at{{0, true, None}, {15, true, None}, {714, true, None}, {715, true, Held}, {2000, true, None}, {2100, false, None}, {2115, false, None}}},
		"repeated":             {true, []at{{0, true, None}, {15, true, Press}, {700, true, None}, {715, true, Press}, {865, true, Press}, {900, false, None}, {915, false, None}}},
	} {
		b := Button{Repeat: c.repeat}
		for _, s := range c.steps {
			if got, again := b.Step(time.Duration(s.time)*ms, s.closed); got != s.want || again <= 0 {
				t.Errorf("%s: at %d ms: %d, again %v; want %d", name, s.time, got, again, s.want)
			}
		}
	}
}

func TestEncoder(t *testing.T) {
	turn := func(e *Encoder, states ...int) (clicks int) {
		for _, s := range states {
			clicks += e.Step(s&2 != 0, s&1 != 0)
		}
		return clicks
	}
	for name, c := range map[string]struct {
		states []int
		want   int
	}{
		"clockwise":         {[]int{2, 3, 1, 0}, 1},
		"back":              {[]int{1, 3, 2, 0}, -1},
		"bouncing":          {[]int{2, 0, 2, 0, 2, 3, 2, 3, 1, 3, 1, 0, 1, 0}, 1},
		"half way and back": {[]int{2, 3, 2, 0}, 0},
		"a quarter missed":  {[]int{2, 3, 1, 0, 2, 1, 0}, 1},
		"three clicks":      {[]int{2, 3, 1, 0, 2, 3, 1, 0, 2, 3, 1, 0}, 3},
	} {
		if got := turn(&Encoder{}, c.states...); got != c.want {
			t.Errorf("%s: %d clicks, want %d", name, got, c.want)
		}
	}
}

func TestPinNames(t *testing.T) {
	for _, name := range []string{"GPIO17", "gpiochip0:17", "pinctrl-bcm2711:4", "PA12"} {
		if err := CheckPin(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", ":4", "gpiochip0:", "gpiochip0:x", "/dev/gpiochip0", "GPIO 4", "a:b:1"} {
		if CheckPin(name) == nil {
			t.Errorf("%q is not refused", name)
		}
	}
}

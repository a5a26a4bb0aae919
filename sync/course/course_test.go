package course

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/sync/timebase"
)

const start = timebase.House(1_790_000_000_000_000_000)

// A leg and its inverse agree to the nanosecond.
func TestInverse(t *testing.T) {
	l := Leg{From: start, Stream: start - 12345678, Drift: -317e-6}
	for _, since := range []time.Duration{-time.Hour, -time.Second, 0, 1, time.Millisecond, time.Hour} {
		h := start.Add(since)
		if back := l.HouseAt(l.At(h)); back.Sub(h).Abs() > 1 {
			t.Errorf("%v: off by %v", since, back.Sub(h))
		}
	}
}

// Legs may come in any order and twice: the course is the same.
func TestOrder(t *testing.T) {
	var legs []Leg
	for i := range 100 {
		legs = append(legs, Leg{From: start.Add(time.Duration(i) * Every), Stream: timebase.House(i)})
	}
	var straight Course
	for _, l := range legs {
		straight.Add(l)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		var c Course
		for i := 0; i < len(legs); i += 4 { // shuffled by fours, as repeated news is
			four := slices.Concat(legs[i:i+4], legs[i:i+4])
			rng.Shuffle(len(four), func(a, b int) { four[a], four[b] = four[b], four[a] })
			for _, l := range four {
				c.Add(l)
			}
		}
		if c != straight {
			t.Fatalf("%+v", c)
		}
	}
	if l, _ := straight.At(start.Add(90*Every + Every/2)); l != legs[90] {
		t.Errorf("the leg that holds is %+v", l)
	}
	if l, _ := straight.At(start); l != legs[100-kept] {
		t.Errorf("before the first that is kept holds %+v", l)
	}
	if next, ok := straight.Next(start.Add(90 * Every)); !ok || next != legs[91] {
		t.Errorf("the next is %+v", next)
	}
	if got := straight.Latest(nil, 2); len(got) != 2 || got[1] != legs[99] {
		t.Errorf("the latest are %+v", got)
	}
}

// A course comes to a goal that is 7 ms and 80 ppm away without a step, no faster than
// MaxLead, and stays there.
func TestSteer(t *testing.T) {
	var c Course
	c.Steer(start, Leg{From: start, Stream: start})
	goal := Leg{From: start, Stream: start.Add(7 * time.Millisecond), Drift: 80e-6}
	before := start
	for i := range 12000 {
		now := start.Add(time.Duration(i) * 20 * time.Millisecond)
		if l, ok := c.Steer(now, goal); ok {
			if news := l.From.Sub(now); i > 0 && news < Ahead {
				t.Fatalf("a leg begins %v after it was made", news)
			}
			holds, _ := c.At(l.From - 1)
			if step := l.Stream.Sub(holds.At(l.From)).Abs(); step > 1 {
				t.Fatalf("a step of %v", step)
			}
			if bend := l.Drift - holds.Drift; bend > maxBend*1.001 || bend < -maxBend*1.001 || l.Drift > goal.Drift+MaxLead+1e-9 {
				t.Fatalf("bends by %g to %g", bend, l.Drift)
			}
		}
		l, _ := c.At(now)
		here := l.At(now)
		if i > 0 && here <= before {
			t.Fatal("the stream's time stands still")
		}
		before = here
		if wrong := goal.At(now).Sub(here).Abs(); i > 6000 && wrong > time.Microsecond {
			t.Fatalf("after %v still %v away", now.Sub(start), wrong)
		}
	}
}

// What was decided at once is leapt, soon, and only once.
func TestLeap(t *testing.T) {
	var c Course
	c.Steer(start, Leg{From: start, Stream: start})
	goal := Leg{From: start, Stream: start.Add(-80 * time.Millisecond)}
	legs := 0
	for i := range 100 {
		now := start.Add(time.Second + time.Duration(i)*20*time.Millisecond)
		if l, ok := c.Steer(now, goal); ok {
			legs++
			if legs == 1 && (l.From.Sub(now) != LeapAhead || l.At(l.From) != goal.At(l.From)) {
				t.Errorf("leaps %v later to %v from where it should be", l.From.Sub(now), l.At(l.From).Sub(goal.At(l.From)))
			}
			if legs > 1 && l.Stream.Sub(goal.At(l.From)).Abs() > 1 {
				t.Errorf("leaves the goal by %v", l.Stream.Sub(goal.At(l.From)))
			}
		}
	}
	if legs < 5 || legs > 12 {
		t.Errorf("%d legs in two seconds", legs)
	}
}

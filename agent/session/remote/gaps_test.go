package remote

import (
	"slices"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/sync/arrival"
	"github.com/tutti-audio/tutti/sync/offset"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// asks runs gaps of 5 ms packets of which the second is lost, and returns when it is
// asked for, in milliseconds after its turn, and when it is given up.
func asks(p path, overtaken time.Duration) (at []int, gone int) {
	g := gaps{packet: 5 * ms, overtaken: overtaken}
	g.note(0, 0, 0, false)
	g.note(2, timebase.Local(10*ms), timebase.Local(10*ms), false)
	for now := timebase.Local(10 * ms); ; now = now.Add(ms / 2) {
		if len(g.due(nil, now, p)) > 0 {
			at = append(at, int((now-timebase.Local(5*ms))/timebase.Local(ms)))
		}
		if g.lost > 0 {
			return at, int((now - timebase.Local(5*ms)) / timebase.Local(ms))
		}
	}
}

// A lost packet is asked for at once, and again after a round trip and a little as long
// as two answers can be in time; then several times in a row; and not when no answer can
// be. It is given up when it is of no use any more.
func TestAsking(t *testing.T) {
	for _, c := range []struct {
		trip, usable, overtaken time.Duration
		at                      []int
	}{
		{20 * ms, 80 * ms, 0, []int{5, 31, 57, 59, 62}},
		{20 * ms, 30 * ms, 0, []int{5, 7, 10}},
		{20 * ms, 15 * ms, 0, nil},
		{40 * ms, 200 * ms, 4 * ms, []int{10, 62, 114, 116, 119}},
		{0, 40 * ms, 0, []int{5, 20, 35, 37, 40}},
	} {
		at, gone := asks(path{trip: c.trip, usable: c.usable}, c.overtaken)
		if !slices.Equal(at, c.at) || gone != int(c.usable/ms) {
			t.Errorf("round trip %v, of use for %v: asked after %v ms, given up after %d; want %v, %d", c.trip, c.usable, at, gone, c.at, c.usable/ms)
		}
		g := gaps{packet: 5 * ms, overtaken: c.overtaken}
		if n := g.asks(path{trip: c.trip, usable: c.usable}); n > len(c.at) || n < len(c.at)-1 { // the last may be a gamble
			t.Errorf("round trip %v, of use for %v: can be asked for %d times, was %d", c.trip, c.usable, n, len(c.at))
		}
	}
}

// Who was overtaken, and not lost, teaches patience.
func TestOvertaken(t *testing.T) {
	g := gaps{packet: 5 * ms}
	g.note(0, 0, 0, false)
	g.note(2, timebase.Local(10*ms), timebase.Local(10*ms), false)
	g.note(1, timebase.Local(5*ms), timebase.Local(12*ms), false)
	if g.overtaken != 2*ms || len(g.missing) > 0 {
		t.Errorf("overtaken by %v, %d missing", g.overtaken, len(g.missing))
	}
	g.note(4, timebase.Local(20*ms), timebase.Local(20*ms), false)
	g.note(3, timebase.Local(15*ms), timebase.Local(21*ms), true) // parity brought it
	if g.overtaken != 2*ms {
		t.Errorf("parity is taken for a packet that was overtaken: %v", g.overtaken)
	}
}

// The wait grows with what was given up for long although it was mended, and not before
// parity had time to help; it is led there, and shrinks when the path is clean.
func TestBufferGrows(t *testing.T) {
	b := buffer{device: 12 * ms}
	second := func(n int) timebase.Local { return timebase.Local(n) * timebase.Local(time.Second) }
	wait := func(n int) time.Duration { return b.mend(5*ms, 20*ms, second(n)) }
	for n := 1; n <= 4; n++ {
		b.account(0.05, 0.02, 26*ms, second(n))
	}
	if got := wait(4); got != 20*ms { // the shortest block
		t.Errorf("after three bad seconds %v more", got)
	}
	for n := 5; n <= 6; n++ {
		b.account(0.05, 0.02, 26*ms, second(n))
	}
	if got := wait(6); got != 46*ms {
		t.Errorf("after five bad seconds %v more", got)
	}
	for n := 7; n <= 40; n++ {
		b.account(0, 0, 26*ms, second(n))
	}
	if got := wait(40); got != 0 || b.more != 0 {
		t.Errorf("on a clean path %v more", got)
	}
	b.goal, b.actual, b.at = 60*ms, 40*ms, second(50)
	if b.follow(second(60)); b.actual != 45*ms {
		t.Errorf("ten seconds lead from 40 to %v", b.actual)
	}
}

// Whoever is to hold packets much longer than until now is led there, not leapt, though
// it takes long; and back.
func TestBufferIsLed(t *testing.T) {
	b := buffer{device: 60 * ms}
	var clock arrival.Clock
	for n := range 200 {
		clock.Add(timebase.House(n)*timebase.House(5*ms), timebase.Local(n)*timebase.Local(5*ms))
	}
	at := timebase.Local(time.Second)
	for _, c := range []struct{ least, until time.Duration }{{300 * ms, 300 * ms}, {826 * ms, 826 * ms}, {300 * ms, 300 * ms}} {
		for range 2000 { // seconds
			at = at.Add(time.Second)
			wait, leap := b.length(&clock, c.least, 0, false, at)
			if leap || (wait-b.actual).Abs() >= offset.LeapBeyond {
				t.Fatalf("at least %v: to wait %v after %v, leap %v", c.least, wait, b.actual, leap)
			}
		}
		if b.actual != c.until {
			t.Errorf("at least %v: in the end packets wait %v", c.least, b.actual)
		}
	}
}

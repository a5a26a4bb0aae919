package merge

import (
	"testing"
	"time"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/sync/offset"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// listener notes by what it was told to play.
type listener struct {
	house
	told offset.Estimate
}

// sentAt is the media time of a packet that leaves, and comes, at l.
func sentAt(l timebase.Local) uint32 { return uint32(timebase.Frames(houseAt(l).Sub(epoch))) }

func (l *listener) Push(*ostp.Packet, timebase.Local) {}
func (l *listener) SetClock(e offset.Estimate)        { l.told = e }

// Where the sound had just broken off, playout steps to the time of a better path; in the
// middle of the music it is led there. A small difference is led always.
func TestYoung(t *testing.T) {
	const apart = 5 * time.Millisecond
	for _, c := range []struct {
		name          string
		heard, silent time.Duration // before the better path comes
		apart         time.Duration
		steps         bool
	}{
		{"from the start", time.Second, 0, apart, true},
		{"in the middle", 10 * time.Second, 0, apart, false},
		{"after a hiccup", 10 * time.Second, latency - 30*time.Millisecond, apart, false},
		{"after a silence", 10 * time.Second, latency + 30*time.Millisecond, apart, true},
		{"a little", time.Second, 0, time.Millisecond, false},
	} {
		l := &listener{house: *newHouse(t)}
		l.now = 1e9
		m := New(l, func() timebase.Local { return l.now })
		relay, lan := m.NewPath(false), m.NewPath(true)
		estimate := func(later time.Duration) offset.Estimate {
			return offset.Known(l.now, houseAt(l.now).Add(-later), drift, 100, 0)
		}
		play := func(d time.Duration) {
			for end := l.now.Add(d); l.now < end; l.now += 20e6 {
				relay.Push(&ostp.Packet{MediaTimestamp: sentAt(l.now)}, l.now)
				relay.SetClock(estimate(c.apart))
			}
		}
		relay.SetClock(estimate(c.apart))
		if err := relay.Start(l.format(), nil); err != nil {
			t.Fatal(err)
		}
		play(c.heard)
		l.now = l.now.Add(c.silent)
		play(100 * time.Millisecond)
		lan.SetClock(estimate(0))
		if err := lan.Start(l.format(), nil); err != nil {
			t.Fatal(err)
		}
		lan.Prefer()
		wrong := houseAt(l.now).Sub(l.told.HouseAt(l.now))
		if steps := wrong.Abs() < time.Microsecond; steps != c.steps {
			t.Errorf("%s: stepped %v, want %v; %v apart", c.name, steps, c.steps, wrong)
		}
	}
}

// A way whose own idea of time becomes better is followed gently, young or not.
func TestYoungWanders(t *testing.T) {
	l := &listener{house: *newHouse(t)}
	l.now = 1e9
	m := New(l, func() timebase.Local { return l.now })
	relay := m.NewPath(false)
	relay.SetClock(offset.Known(l.now, houseAt(l.now), drift, 1, 0))
	if err := relay.Start(l.format(), nil); err != nil {
		t.Fatal(err)
	}
	relay.Push(&ostp.Packet{}, l.now)
	before := l.told
	l.now += 20e6
	relay.SetClock(offset.Known(l.now, houseAt(l.now).Add(10*time.Millisecond), drift, 2, 0))
	if moved := l.told.HouseAt(l.now).Sub(before.HouseAt(l.now)); moved.Abs() > time.Microsecond {
		t.Errorf("stepped by %v", moved)
	}
}

package mode

import (
	"testing"
	"time"

	"github.com/tutti-audio/tutti/sync/timebase"
)

// world plays the agent: what is wanted opens after a while, if it can.
type world struct {
	engine Engine
	now    timebase.Local
	ways   [Count]Way
	opens  [Count]time.Duration // 0: never
	wanted [Count]time.Duration
	gap    time.Duration // longest time without media by any way
	silent time.Duration
	last   Decision
}

func (w *world) run(d time.Duration) {
	const step = 50 * time.Millisecond
	for range d / step {
		w.now = w.now.Add(step)
		heard := false
		for m := range w.ways {
			w.step(m, step)
			heard = heard || w.ways[m].Open && w.ways[m].Idle == 0
		}
		w.silent += step
		if heard {
			w.silent = 0
		}
		w.gap = max(w.gap, w.silent)
		w.last = w.engine.Decide(w.ways, w.now)
	}
}

func (w *world) step(m int, step time.Duration) {
	s := &w.ways[m]
	switch {
	case !w.last.Want[m]:
		*s = Way{Possible: s.Possible}
		w.wanted[m] = 0
	case s.Open && w.opens[m] == 0:
		s.Idle += step
	case s.Open:
		s.Playing, s.Idle = true, 0
	case w.opens[m] > 0:
		if w.wanted[m] += step; w.wanted[m] >= w.opens[m] {
			s.Open = true
		}
	}
}

func (w *world) lead(t *testing.T, want Mode) {
	t.Helper()
	if w.last.Lead != want {
		t.Fatalf("at %v %v leads (%s), want %v", time.Duration(w.now), w.last.Lead, w.last.Reason, want)
	}
}

func newWorld(opens [Count]time.Duration) *world {
	w := &world{now: 1, opens: opens}
	for m := range w.ways {
		w.ways[m].Possible = opens[m] > 0
	}
	return w
}

const quick = 100 * time.Millisecond

// On the LAN nothing else is opened.
func TestLANAlone(t *testing.T) {
	w := newWorld([Count]time.Duration{quick, quick, quick, quick})
	w.run(10 * time.Second)
	w.lead(t, LAN)
	if w.last.Want != [Count]bool{true} {
		t.Errorf("open: %v", w.last.Want)
	}
}

// Off it a relay plays at once, and peer to peer takes over when it has proved itself;
// the relay is closed after the overlap.
func TestRelayThenPeer(t *testing.T) {
	w := newWorld([Count]time.Duration{0, 1200 * time.Millisecond, quick, quick})
	w.run(300 * time.Millisecond)
	w.lead(t, Relay)
	w.run(10 * time.Second)
	w.lead(t, P2P)
	if w.last.Want[Relay] || w.last.Want[Web] {
		t.Errorf("open: %v", w.last.Want)
	}
}

// The cable is pulled, and put in again: never a longer silence than it takes to
// notice and to open the next.
func TestCablePulled(t *testing.T) {
	w := newWorld([Count]time.Duration{quick, 0, quick, quick})
	w.run(5 * time.Second)
	w.lead(t, LAN)
	w.gap = 0
	w.opens[LAN] = 0
	w.run(3 * time.Second)
	w.lead(t, Relay)
	if limit := Stalled + 2*quick + 100*time.Millisecond; w.gap > limit {
		t.Errorf("silent for %v, want at most %v", w.gap, limit)
	}
	changes := w.engine.Changes()
	w.opens[LAN] = quick
	w.gap = 0
	w.run(20 * time.Second)
	w.lead(t, LAN)
	if w.gap > 0 || w.engine.Changes() != changes+1 {
		t.Errorf("silent for %v, %d changes", w.gap, w.engine.Changes()-changes)
	}
}

// UDP is blocked: WebSocket plays, once the others have had their time.
func TestUDPBlocked(t *testing.T) {
	w := newWorld([Count]time.Duration{0, 0, 0, quick})
	w.ways[Relay].Possible, w.ways[P2P].Possible = true, true
	w.run(4 * time.Second)
	w.lead(t, Web)
}

// UDP is blocked in mid-stream: the ways by it stay open and bring nothing.
func TestUDPBlockedLater(t *testing.T) {
	w := newWorld([Count]time.Duration{0, 400 * time.Millisecond, quick, quick})
	w.run(5 * time.Second)
	w.lead(t, P2P)
	w.gap = 0
	w.opens[P2P], w.opens[Relay] = 0, 0
	w.ways[Relay] = Way{Possible: true, Open: true} // its membership outlives the way
	w.run(3 * time.Second)
	w.lead(t, Web)
	if limit := Stalled + Hurry + 3*quick; w.gap > limit {
		t.Errorf("silent for %v, want at most %v", w.gap, limit)
	}
}

// A way that comes and goes each second does not take playout along with it.
func TestHysteresis(t *testing.T) {
	w := newWorld([Count]time.Duration{0, 0, quick, quick})
	w.run(3 * time.Second)
	w.lead(t, Relay)
	w.ways[LAN].Possible = true
	for range 60 {
		w.opens[LAN] = quick
		w.run(600 * time.Millisecond)
		w.opens[LAN] = 0
		w.engine.Failed(LAN, w.now)
		w.ways[LAN] = Way{Possible: true}
		w.run(600 * time.Millisecond)
	}
	if w.engine.Changes() > 0 {
		t.Errorf("%d changes", w.engine.Changes())
	}
}

// Heavy loss lets the next way lead, and does not throw away the one that plays before
// another does.
func TestLoss(t *testing.T) {
	w := newWorld([Count]time.Duration{quick, 0, quick, 0})
	w.run(3 * time.Second)
	w.ways[LAN].Loss = 0.3
	w.run(5 * time.Second)
	w.lead(t, Relay)
	if w.gap > 400*time.Millisecond {
		t.Errorf("silent for %v", w.gap)
	}
}

// A gateway that is gone leads no longer than until another way plays, and is closed
// though nothing says yet that it is silent.
func TestGone(t *testing.T) {
	w := newWorld([Count]time.Duration{quick, 0, quick, quick})
	w.run(5 * time.Second)
	w.lead(t, LAN)
	for range 40 {
		w.ways[LAN].Gone, w.ways[LAN].Possible = true, false
		w.run(50 * time.Millisecond)
	}
	w.lead(t, Relay)
	if w.last.Want[LAN] {
		t.Error("the network is still wanted, where nobody is any more")
	}
}

// Where somebody stands by, a short silence opens nothing; a long one does.
func TestHeld(t *testing.T) {
	for _, test := range []struct {
		silent time.Duration
		want   bool
	}{{150 * time.Millisecond, false}, {300 * time.Millisecond, true}} {
		w := newWorld([Count]time.Duration{quick, 0, quick, quick})
		w.run(5 * time.Second)
		opened := false
		w.opens[LAN] = 0 // brings nothing from now on
		for range test.silent / (50 * time.Millisecond) {
			w.ways[LAN].Held = true
			w.run(50 * time.Millisecond)
			opened = opened || w.last.Want[Relay]
		}
		if opened != test.want {
			t.Errorf("after %v without media the relay is wanted: %v", test.silent, opened)
		}
	}
}

// Nothing can be reached for ten minutes: when it can again, it plays within seconds, by
// what a try takes and a rest of three. A better way that fails while another plays is
// tried seldom.
func TestAllAway(t *testing.T) {
	w := newWorld([Count]time.Duration{P2P: quick, Relay: quick})
	w.run(5 * time.Second)
	w.lead(t, P2P)
	tries := func(d time.Duration, fails ...Mode) (n int) {
		for end := w.now.Add(d); w.now < end; {
			w.run(50 * time.Millisecond)
			for _, m := range fails {
				if w.last.Want[m] {
					w.engine.Failed(m, w.now)
					w.ways[m], w.last.Want[m] = Way{Possible: true}, false
					n++
				}
			}
		}
		return n
	}
	if n := tries(10*time.Minute, P2P, Relay); n < 300 || n > 500 {
		t.Errorf("%d tries of two ways in ten minutes, want one in 3 s each", n)
	}
	w.lead(t, None)
	silence := w.now
	for w.last.Lead != Relay {
		if tries(50*time.Millisecond, P2P); w.now.Sub(silence) > Silent+time.Second {
			t.Fatalf("silent %v after the relay is back", w.now.Sub(silence))
		}
	}
	if n := tries(10*time.Minute, P2P); n < 15 || n > 25 {
		t.Errorf("%d tries of peer to peer in ten minutes, want one in 30 s", n)
	}
	w.lead(t, Relay)
}

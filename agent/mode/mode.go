// Package mode decides by which way a stream is heard: on the LAN, peer to peer, by a
// relay, or by a relay through WebSocket where UDP is blocked.
//
// An [Engine] is a pure state machine: it is told what is known of each mode, and
// answers which ways should be open and which one leads. A better way is opened beside
// the one in use, proves itself, takes over, and only then is the other closed (make
// before break). docs/MODES.md has the drawing and the table.
//
// The order of modes is their rank. Times are local instants; nothing reads a clock.
// An Engine belongs to one goroutine.
package mode

import (
	"fmt"
	"time"

	"github.com/tutti-audio/tutti/sync/timebase"
)

// Mode is a way to hear a stream; a lower one is better.
type Mode int

// The modes, best first.
const (
	LAN Mode = iota
	P2P
	Relay
	Web // a relay through WebSocket
	None
)

// Count is how many modes there are.
const Count = int(None)

func (m Mode) String() string {
	return [...]string{"lan", "p2p", "relay", "websocket", "none"}[m]
}

// What decides.
const (
	Prove     = 750 * time.Millisecond // a better way must be well for so long before it leads
	ProveSlow = 5 * time.Second        // after it has failed lately
	Overlap   = 2 * time.Second        // the old way goes on for so long
	Stalled   = 110 * time.Millisecond // without media: open the next way
	TakenOver = 180 * time.Millisecond // likewise, where somebody stands by
	Lost      = 400 * time.Millisecond // without media: let the next way lead
	LossBad   = 0.10                   // share lost for two seconds: the next way
	LossGood  = 0.02
	Hurry     = 25 * time.Millisecond // for another way to play, when the one that led does not
	Recently  = time.Minute           // for so long a failure counts
	Silent    = 3 * time.Second       // where nothing plays a way is tried again after this at the latest
)

// retry is how long after a failure a mode is tried again, at first and at most.
func (m Mode) retry() (first, most time.Duration) {
	if m == LAN {
		return 100 * time.Millisecond, 2 * time.Second
	}
	return 500 * time.Millisecond, 30 * time.Second
}

// patience is how long a way has to open before the next one is tried, too. Peer to
// peer delays nobody: it takes a second, and a relay plays meanwhile.
func (m Mode) patience() time.Duration {
	return [...]time.Duration{400 * time.Millisecond, 0, 1500 * time.Millisecond, 0}[m]
}

// Way is what is known of one mode.
type Way struct {
	Possible bool          // there is an address to try
	Open     bool          // it has been opened, and is or was heard
	Playing  bool          // media comes by it
	Idle     time.Duration // since media came by it last
	Loss     float64       // share lost lately, before repair
	Gone     bool          // nobody is there any more: it will bring nothing
	Held     bool          // somebody stands by to take it over: be patient when it stalls
}

// stands reports whether a way brings nothing for so long that others are tried.
func (w Way) stands() bool {
	if w.Held && !w.Gone {
		return w.Idle > TakenOver
	}
	return w.Idle > Stalled || w.Gone
}

// Decision is what should be.
type Decision struct {
	Want   [Count]bool // ways to be open, or being opened
	Lead   Mode        // whose time playout follows; None: nothing plays
	Reason string      // for people
}

// track is what the engine remembers of a mode.
type track struct {
	well     timebase.Local // since when it is well; 0: it is not
	poor     timebase.Local // since when it loses too much; 0: it does not
	wanted   timebase.Local // since when it is being opened
	ill      timebase.Local // since when it is open and not well; 0: it is not
	tried    timebase.Local // when it could not be opened, or broke; 0: it is tried again
	backoff  time.Duration  // for so long from then on it is not
	failedAt timebase.Local // when it broke that had been open; 0: never
}

// Engine decides. The zero value is ready, with nothing leading.
type Engine struct {
	tracks  [Count]track
	lead    Mode
	started bool
	led     timebase.Local // since when
	reason  string
	changes int
}

// Changes counts how often another way took the lead.
func (e *Engine) Changes() int { return e.changes }

// Failed tells that a way could not be opened, or broke.
func (e *Engine) Failed(m Mode, now timebase.Local) {
	t := &e.tracks[m]
	first, most := m.retry()
	failedAt := t.failedAt
	if t.well != 0 || t.ill != 0 {
		failedAt = now
	}
	backoff := min(max(2*t.backoff, first), most)
	*t = track{tried: now, backoff: backoff, failedAt: failedAt}
}

// rests reports whether a way is not to be opened yet, since it failed. Who hears
// nothing is in more of a hurry than who could hear by a better way.
func (e *Engine) rests(m Mode, now timebase.Local) bool {
	t := &e.tracks[m]
	rest := t.backoff
	if e.lead == None {
		rest = min(rest, Silent)
	}
	return t.tried != 0 && now.Sub(t.tried) < rest
}

// Decide returns what should be, given what is.
func (e *Engine) Decide(ways [Count]Way, now timebase.Local) Decision {
	if !e.started {
		e.lead, e.started = None, true
	}
	for m := range ways {
		e.observe(Mode(m), ways[m], now)
	}
	e.takeLead(ways, now)
	d := Decision{Lead: e.lead, Reason: e.reason}
	for m := range ways {
		d.Want[m] = e.wants(Mode(m), ways, now)
		if d.Want[m] && !ways[m].Open && e.tracks[m].wanted == 0 {
			e.tracks[m].wanted, e.tracks[m].tried = now, 0
		}
	}
	return d
}

// observe follows how long a way has been well or poor.
func (e *Engine) observe(m Mode, w Way, now timebase.Local) {
	t := &e.tracks[m]
	if !w.Open {
		t.well, t.poor, t.ill = 0, 0, 0
		return
	}
	t.wanted = 0
	if w.Playing && w.Idle < Stalled && !w.Gone {
		if t.well == 0 {
			t.well = now
		}
		t.ill = 0
		if now.Sub(t.well) > Recently {
			t.backoff = 0
		}
	} else {
		t.well = 0
		if t.ill == 0 {
			t.ill = now
		}
	}
	switch {
	case w.Loss > LossBad && t.poor == 0:
		t.poor = now
	case w.Loss < LossGood:
		t.poor = 0
	}
}

// isPoor reports whether a way has lost too much for two seconds.
func (e *Engine) isPoor(m Mode, now timebase.Local) bool {
	return e.tracks[m].poor != 0 && now.Sub(e.tracks[m].poor) > 2*time.Second
}

// proved reports whether a way has been well for long enough to lead.
func (e *Engine) proved(m Mode, now timebase.Local) bool {
	t := &e.tracks[m]
	long := Prove
	if t.failedAt != 0 && now.Sub(t.failedAt) < Recently {
		long = ProveSlow
	}
	return t.well != 0 && now.Sub(t.well) >= long && !e.isPoor(m, now)
}

// takeLead lets another way lead where the rules say so.
func (e *Engine) takeLead(ways [Count]Way, now timebase.Local) {
	if e.lead != None && (!ways[e.lead].Open || ways[e.lead].Idle > Lost || ways[e.lead].Gone) {
		if next := e.best(ways, func(m Mode) bool { return m != e.lead && e.tracks[m].well != 0 }); next != None {
			why := fmt.Sprintf("nothing came by %v for %v", e.lead, Lost)
			if ways[e.lead].Gone {
				why = fmt.Sprintf("nobody sends by %v any more", e.lead)
			}
			e.follow(next, now, why)
			return
		}
		if !ways[e.lead].Open {
			e.lead, e.reason = None, "no way is open"
		}
	}
	if e.lead == None {
		if next := e.best(ways, func(m Mode) bool { return ways[m].Playing }); next != None {
			e.follow(next, now, fmt.Sprintf("%v was the first to play", next))
		}
		return
	}
	better := e.best(ways, func(m Mode) bool { return e.proved(m, now) })
	switch {
	case better < e.lead:
		e.follow(better, now, fmt.Sprintf("%v is better than %v and has been well", better, e.lead))
	case better != None && better > e.lead && e.isPoor(e.lead, now):
		e.follow(better, now, fmt.Sprintf("%v loses more than %.0f %%", e.lead, LossBad*100))
	}
}

func (e *Engine) follow(m Mode, now timebase.Local, reason string) {
	if e.lead != None {
		e.changes++
	}
	e.lead, e.led, e.reason = m, now, reason
}

// best returns the best mode that fits, or None.
func (e *Engine) best(ways [Count]Way, fits func(Mode) bool) Mode {
	for m := range ways {
		if ways[m].Open && fits(Mode(m)) {
			return Mode(m)
		}
	}
	return None
}

// wants reports whether a way should be open.
func (e *Engine) wants(m Mode, ways [Count]Way, now timebase.Local) bool {
	switch {
	case !ways[m].Possible || e.rests(m, now):
		return false
	case m == e.lead:
		return true
	case e.lead != None && m > e.lead:
		stands := ways[e.lead].stands() || e.isPoor(e.lead, now)
		return stands && e.next(ways, e.lead, now) >= m || ways[m].Open && now.Sub(e.led) < Overlap
	default: // better than what leads, or nothing leads
		return e.next(ways, -1, now) >= m || e.lead != None && m < e.lead
	}
}

// next returns the first mode after m to try: those before it that are being opened,
// or bring nothing, for too long are given up waiting for, though not stopped.
func (e *Engine) next(ways [Count]Way, after Mode, now timebase.Local) Mode {
	for m := after + 1; m < None; m++ {
		t := &e.tracks[m]
		if !ways[m].Possible || e.rests(m, now) {
			continue
		}
		patience := m.patience()
		if after >= 0 { // what led brings nothing: there is no time
			patience = min(patience, Hurry)
		}
		late := t.wanted != 0 && now.Sub(t.wanted) > patience || t.ill != 0 && now.Sub(t.ill) > min(patience, Lost)
		if m != Web && t.well == 0 && (late || m.patience() == 0) {
			continue
		}
		return m
	}
	return None
}

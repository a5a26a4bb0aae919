// Package panel is the front of a speaker as arithmetic: when an amplifier may be
// let go without a pop, what a light shows, and what a hand means by pushing and
// turning.
//
// Time is an argument: a duration since any fixed instant, that never goes back.
// Each machine is stepped when something changed and again after the time it asks
// for. Nothing here has a goroutine or is safe for concurrent use.
package panel

import "time"

// Never is asked for by a machine that waits for a change alone.
const Never = time.Duration(1<<63 - 1)

// Amplifier decides on a power stage that pops when it is switched amid sound. Its
// order is: digital silence, stage on, wait until it has settled, sound; and back:
// sound fades to digital silence, wait until that has reached the loudspeaker,
// stage off. The zero value is off and switches without waiting.
type Amplifier struct {
	Idle   time.Duration // without sound until the stage is switched off
	Settle time.Duration // that the stage needs after it was switched on
	Fade   time.Duration // from asking for silence until it is heard

	phase ampPhase
	since time.Duration // of the phase, or of the last sound in ampOn
}

type ampPhase int

const (
	ampOff ampPhase = iota
	ampSettling
	ampOn
	ampFading
)

// Power is what the amplifier wants.
type Power struct {
	On   bool // the stage
	Hush bool // nothing but digital silence may be played
}

// Step takes whether there is sound to be heard, and returns what to do and when
// to step again. closing leaves the idle time out.
func (a *Amplifier) Step(now time.Duration, sound, closing bool) (Power, time.Duration) {
	sound = sound && !closing
	switch {
	case a.phase == ampOff && sound:
		a.enter(ampSettling, now)
	case a.phase == ampFading && sound:
		a.enter(ampOn, now) // the stage is on and has settled
	case a.phase == ampOn && sound:
		a.since = now
	}
	if a.phase == ampSettling && now-a.since >= a.Settle {
		a.enter(ampOn, now)
	}
	if a.phase == ampOn && !sound && (closing || now-a.since >= a.Idle) {
		a.enter(ampFading, now)
	}
	if a.phase == ampFading && now-a.since >= a.Fade {
		a.enter(ampOff, now)
	}
	return Power{On: a.phase != ampOff, Hush: a.phase != ampOn}, a.again(now, sound)
}

func (a *Amplifier) enter(p ampPhase, now time.Duration) { a.phase, a.since = p, now }

func (a *Amplifier) again(now time.Duration, sound bool) time.Duration {
	switch {
	case a.phase == ampSettling:
		return a.since + a.Settle - now
	case a.phase == ampFading:
		return a.since + a.Fade - now
	case a.phase == ampOn && !sound:
		return a.since + a.Idle - now
	}
	return Never
}

// Light is what a status light shows.
type Light int

// The lights, from the quietest on.
const (
	Dark       Light = iota
	Steady           // playing
	Wink             // playing, muted: dark for a moment now and then
	Slow             // looking for a source
	Quick            // joining
	TwoFlash         // the output is not there
	ThreeFlash       // under-voltage, or too hot
)

// pattern is how long the light is on, off, on, and so on; then it begins again.
func (l Light) pattern() []time.Duration {
	const ms = time.Millisecond
	switch l {
	case Wink:
		return []time.Duration{2800 * ms, 200 * ms}
	case Slow:
		return []time.Duration{1000 * ms, 1000 * ms}
	case Quick:
		return []time.Duration{150 * ms, 150 * ms}
	case TwoFlash:
		return []time.Duration{120 * ms, 180 * ms, 120 * ms, 1180 * ms}
	case ThreeFlash:
		return []time.Duration{120 * ms, 180 * ms, 120 * ms, 180 * ms, 120 * ms, 880 * ms}
	}
	return nil
}

// At returns whether the light is on, so long after the pattern began, and when
// that changes.
func (l Light) At(elapsed time.Duration) (on bool, again time.Duration) {
	steps := l.pattern()
	if steps == nil {
		return l == Steady, Never
	}
	var period time.Duration
	for _, d := range steps {
		period += d
	}
	elapsed %= period
	for i, d := range steps {
		if elapsed < d {
			return i%2 == 0, d - elapsed
		}
		elapsed -= d
	}
	return false, 0 // not reached: the steps make up the period
}

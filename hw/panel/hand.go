package panel

import "time"

// Push is what a hand does with a button.
type Push int

// The pushes. Held comes while the button is still down, and Press does not follow
// it.
const (
	None  Push = iota
	Press      // pushed and let go; with Repeat as soon as it is down
	Held       // kept down
)

const (
	debounce = 15 * time.Millisecond // that contacts bounce, at most
	holding  = 700 * time.Millisecond
	repeat   = 150 * time.Millisecond
)

// Button makes pushes of a contact that bounces. The zero value is a button that
// is not down.
type Button struct {
	Repeat bool // Press at once, and again and again while it is down

	down    bool          // as it is taken to be
	seen    bool          // as it was last
	changed time.Duration // when it was last seen to change
	next    time.Duration // when it will be held, or repeats
	held    bool          // that was told
}

// Step takes whether the contact is closed now, and returns what that means and
// when to step again.
func (b *Button) Step(now time.Duration, closed bool) (Push, time.Duration) {
	if closed != b.seen {
		b.seen, b.changed = closed, now
	}
	if b.seen != b.down {
		if wait := b.changed + debounce - now; wait > 0 {
			return None, wait
		}
		return b.turn(now)
	}
	if !b.down || b.held && !b.Repeat {
		return None, Never
	}
	if now < b.next {
		return None, b.next - now
	}
	if b.Repeat {
		b.next = now + repeat
		return Press, repeat
	}
	b.held = true
	return Held, Never
}

// turn takes a contact as changed.
func (b *Button) turn(now time.Duration) (Push, time.Duration) {
	b.down = b.seen
	switch {
	case b.down:
		b.held, b.next = false, now+holding
		if b.Repeat {
			return Press, holding
		}
		return None, holding
	case b.Repeat || b.held:
		return None, Never
	}
	return Press, Never
}

// Encoder makes steps of the two contacts of a rotary encoder, which are both open
// where it clicks in. Bouncing goes back and forth and comes to nothing.
type Encoder struct {
	last  int // the contacts, as two bits
	moved int // quarters of a step since the last click
}

// Step takes the contacts and returns 1 for a click clockwise, -1 for one back,
// and 0.
func (e *Encoder) Step(a, b bool) int {
	// In Gray code each quarter changes one contact. Rows are what was, columns
	// what is; a change of both says nothing of the direction.
	quarters := [4][4]int{
		{0, -1, 1, 0},
		{1, 0, 0, -1},
		{-1, 0, 0, 1},
		{0, 1, -1, 0},
	}
	now := 0
	if a {
		now |= 2
	}
	if b {
		now |= 1
	}
	e.moved += quarters[e.last][now]
	e.last = now
	if now != 0 { // between two clicks
		return 0
	}
	moved := e.moved
	e.moved = 0
	switch {
	case moved >= 3: // one quarter may have been missed
		return 1
	case moved <= -3:
		return -1
	}
	return 0
}

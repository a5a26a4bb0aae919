package merge

import (
	"time"

	"github.com/tutti-audio/tutti/sync/offset"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const (
	// arrived is the difference in house time that the player's own servo takes over.
	arrived = 2 * time.Microsecond

	// A stream is young for so long after a silence of so long: then a step is heard
	// less than being led for minutes. What is less than lesser is led, but faster.
	youngFor = 5 * time.Second
	silence  = time.Second
	lesser   = 2 * time.Millisecond
)

// Young reports whether at l the stream is only just being heard, so that a step in its
// time is the lesser evil.
func (m *Merge) Young(l timebase.Local) bool {
	began := m.began.Load()
	return began == 0 || l.Sub(timebase.Local(began)) < youngFor
}

// Young is the stream's.
func (p *Path) Young(l timebase.Local) bool { return p.merge.Young(l) }

// lead moves playout towards the reference's time; changed says that the reference is
// another than before. Callers hold mu.
func (m *Merge) lead(changed bool) {
	goal, now := m.reference.estimate, m.now()
	if goal.Samples == 0 {
		return
	}
	if m.reference.exact && m.follower.Wrong(goal, now) < arrived {
		m.leading = false
	}
	young := m.Young(now)
	switch {
	case m.leading && young && (changed || m.reference.exact) && m.follower.Wrong(goal, now) > lesser:
		m.follower.Set(goal)
	case m.leading:
		goal = m.follower.Follow(goal, now, m.reference.pace(young))
	default:
		m.follower.Set(goal)
		m.leading = !m.reference.exact
	}
	m.sink.SetClock(goal)
}

// pace is how a difference to the path's time is led over.
func (p *Path) pace(young bool) offset.Pace {
	switch {
	case p.exact && young:
		return offset.AtOnce
	case p.exact:
		return offset.Swiftly
	}
	return offset.Gently
}

// refer makes a path the reference. Callers hold mu.
func (m *Merge) refer(p *Path) {
	if m.reference == p {
		return
	}
	if m.reference != nil {
		m.changes++
		m.leading = true
	}
	m.reference = p
	m.lead(true)
}

package merge

import (
	"time"

	"github.com/tutti-audio/tutti/sync/offset"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// A stream is young for so long after a silence of so long.
const (
	youngFor = 5 * time.Second
	silence  = time.Second
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
	if m.reference.exact && m.follower.Wrong(goal, now) < offset.Arrived {
		m.leading = false
	}
	if m.leading {
		goal = m.follower.Follow(goal, now, m.reference.pace(changed, m.Young(now)))
	} else {
		m.follower.Set(goal)
		m.leading = !m.reference.exact
	}
	m.sink.SetClock(goal)
}

// pace is how a difference to the path's time is led over. A path whose own idea of time
// wanders is stepped to at a change alone.
func (p *Path) pace(changed, young bool) offset.Pace {
	switch {
	case young && (changed || p.exact):
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

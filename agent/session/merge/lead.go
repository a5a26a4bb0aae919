package merge

import (
	"time"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/sync/offset"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// youngFor is for how long a stream is young, from its first packet on or the first after
// the sound broke off.
const youngFor = 5 * time.Second

// known marks that there is a newest packet, or that it is known what is due.
const known = 1 << 32

// due returns what is due at l, in the stream's 32-bit time. ok is false while that is not
// known.
func (m *Merge) due(l timebase.Local) (media uint32, ok bool) {
	v := m.behind.Load()
	return uint32(timebase.Frames(time.Duration(l))) - uint32(v), v&known != 0
}

// tell has playout go by e, and notes what is due by that. Callers hold mu.
func (m *Merge) tell(e offset.Estimate, l timebase.Local) {
	since := e.HouseAt(l).Sub(m.format.Anchor.House) - m.format.Latency
	media := m.format.Anchor.Media + timebase.Frames(since)
	m.behind.Store(uint64(uint32(timebase.Frames(time.Duration(l))-media)) | known)
	m.sink.SetClock(e)
}

// hear notes whether the sound had broken off when a packet came: all that came before it
// had been played. It belongs to the drain.
func (m *Merge) hear(p *ostp.Packet, arrived timebase.Local) {
	due, ok := m.due(arrived)
	if !ok || m.began.Load() == 0 || int32(m.end-due) < 0 {
		m.began.Store(int64(arrived))
		m.end = p.MediaTimestamp
	}
	if end := p.MediaTimestamp + uint32(m.format.Codec.Frames); int32(end-m.end) > 0 {
		m.end = end
	}
}

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
	m.tell(goal, now)
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

package remote

import (
	"math"
	"slices"
	"time"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const (
	mostMissing = 256  // packets asked for at a time; beyond that the path was down
	askAgain    = 1.3  // round trips later
	tripSpread  = 0.75 // of a round trip may do
	leastAgain  = 15 * time.Millisecond
	hurry       = 2500 * time.Microsecond // between requests of which no answer can be waited for
	hurried     = 3                       // such requests at most
	reordering  = 10 * time.Millisecond
	never       = timebase.Local(math.MaxInt64)
)

// gaps keeps which packets of a stream are missing and when to ask for them. A packet's
// turn is when it would have come by the quickest way; from then on it is of use for a
// while (buffer.usable).
//
// A packet is asked for at once, unless packets were seen to overtake each other, and
// again when an answer might have come. Where there is no time to wait for an answer,
// it is asked for several times in a row.
type gaps struct {
	packet    time.Duration // media time of one
	unwrap    ostp.Unwrapper
	highest   int64
	any       bool
	missing   []gap // by sequence
	expect    uint64
	lost      uint64
	asked     uint64
	came      uint64        // after they were asked for
	run       int           // the longest run of missing ones since longest was called
	overtaken time.Duration // by how much a packet came later than one behind it, of late
}

type gap struct {
	sequence int64
	turn     timebase.Local
	noticed  timebase.Local
	next     timebase.Local // when to ask
	times    int
	hurried  int
}

// note takes in that a packet came, whose turn was then, and reports whether it had
// been asked for. recovered says that parity brought it.
func (g *gaps) note(sequence uint32, turn, now timebase.Local, recovered bool) (repaired bool) {
	n := g.unwrap.Near(sequence)
	switch {
	case !g.any || n > g.highest+mostMissing || n < g.highest-1<<16:
		g.unwrap = ostp.Unwrapper{}
		n = g.unwrap.Unwrap(sequence)
		g.any, g.missing = true, g.missing[:0]
		g.expect++
	case n > g.highest:
		g.miss(n, turn, now)
		g.unwrap.Unwrap(sequence)
	default:
		return g.fill(n, now, recovered)
	}
	g.highest = n
	return false
}

// miss notes what lies between the highest and n.
func (g *gaps) miss(n int64, turn, now timebase.Local) {
	g.run = max(g.run, int(n-g.highest-1))
	for k := g.highest + 1; k < n; k++ {
		g.missing = append(g.missing, gap{
			sequence: k, turn: turn.Add(-time.Duration(n-k) * g.packet), noticed: now, next: now.Add(min(g.overtaken*5/4, reordering)),
		})
	}
	if over := len(g.missing) - mostMissing; over > 0 {
		g.lost += uint64(over)
		g.missing = slices.Delete(g.missing, 0, over)
	}
	g.expect += uint64(n - g.highest)
}

// fill takes a packet off the list.
func (g *gaps) fill(n int64, now timebase.Local, recovered bool) (repaired bool) {
	i, found := slices.BinarySearchFunc(g.missing, n, func(m gap, n int64) int { return int(m.sequence - n) })
	if !found {
		return true // doubled: it says nothing of the path
	}
	m := g.missing[i]
	switch repaired = m.times > 0; {
	case recovered:
	case repaired:
		g.came++
	default:
		g.overtaken = max(now.Sub(m.noticed), g.overtaken*7/8)
	}
	g.missing = slices.Delete(g.missing, i, i+1)
	return repaired
}

// longest returns the longest run of packets that were missing at once since it was
// last called.
func (g *gaps) longest() int {
	run := g.run
	g.run = 0
	return run
}

// path is what asking again depends on.
type path struct {
	trip   time.Duration // there and back
	usable time.Duration // how long after its turn a packet is of use
}

// again is how long an answer is waited for.
func (p path) again() time.Duration {
	return max(time.Duration(float64(p.trip)*askAgain), leastAgain)
}

// asks is how often a packet can be asked for in time, when it is missed as soon as the
// one behind it comes.
func (g *gaps) asks(p path) (n int) {
	left := p.usable - g.packet - g.overtaken - p.trip
	for ; left >= p.again() && n < 8; n++ {
		left -= p.again()
	}
	if left >= 0 {
		n += min(hurried, 1+int(left/hurry))
	}
	return n
}

// due appends the sequence numbers to ask for now to dst, at most ostp.MaxNACK.
// Those that cannot come in time any more are given up.
func (g *gaps) due(dst []uint16, now timebase.Local, p path) []uint16 {
	kept := g.missing[:0]
	for _, m := range g.missing {
		left := m.turn.Add(p.usable).Sub(now)
		if left < 0 {
			g.lost++
			continue
		}
		if now >= m.next && len(dst) < ostp.MaxNACK && left >= time.Duration(tripSpread*float64(p.trip)) {
			dst = append(dst, uint16(m.sequence))
			m.ask(now, left, p)
			g.asked++
		}
		kept = append(kept, m)
	}
	g.missing = kept
	return dst
}

// ask decides when the packet is asked for next.
func (m *gap) ask(now timebase.Local, left time.Duration, p path) {
	m.times++
	if left >= p.again()+p.trip { // there will be time for another answer
		m.next = now.Add(p.again())
		return
	}
	if m.hurried++; m.hurried >= hurried {
		m.next = never
		return
	}
	m.next = now.Add(hurry)
}

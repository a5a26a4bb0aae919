package remote

import (
	"slices"
	"time"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const (
	mostMissing = 256                  // packets asked for at a time; beyond that the path was down
	reordering  = 3 * time.Millisecond // a packet overtaken may still come by itself
	askAgain    = 1.3                  // round trips later
	leastAgain  = 15 * time.Millisecond
)

// gaps keeps which packets of a stream are missing and when to ask for them.
type gaps struct {
	unwrap  ostp.Unwrapper
	highest int64
	any     bool
	missing []gap // by sequence
	expect  uint64
	lost    uint64
	asked   uint64
	came    uint64 // after they were asked for
	run     int    // the longest run of missing ones since longest was called
}

type gap struct {
	sequence int64
	since    timebase.Local
	next     timebase.Local // when to ask
	times    int
}

// note takes in that a packet came, and reports whether it had been asked for.
func (g *gaps) note(sequence uint32, now timebase.Local) (repaired bool) {
	n := g.unwrap.Near(sequence)
	switch {
	case !g.any || n > g.highest+mostMissing || n < g.highest-1<<16:
		g.unwrap = ostp.Unwrapper{}
		n = g.unwrap.Unwrap(sequence)
		g.any, g.missing = true, g.missing[:0]
		g.expect++
	case n > g.highest:
		g.run = max(g.run, int(n-g.highest-1))
		for k := g.highest + 1; k < n; k++ {
			g.missing = append(g.missing, gap{sequence: k, since: now, next: now.Add(reordering)})
		}
		if over := len(g.missing) - mostMissing; over > 0 {
			g.lost += uint64(over)
			g.missing = slices.Delete(g.missing, 0, over)
		}
		g.expect += uint64(n - g.highest)
		g.unwrap.Unwrap(sequence)
	default:
		return g.fill(n)
	}
	g.highest = n
	return false
}

// fill takes a packet off the list.
func (g *gaps) fill(n int64) (repaired bool) {
	i, found := slices.BinarySearchFunc(g.missing, n, func(m gap, n int64) int { return int(m.sequence - n) })
	if !found {
		return true // doubled: it says nothing of the path
	}
	repaired = g.missing[i].times > 0
	if repaired {
		g.came++
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

// due appends the sequence numbers to ask for now to dst, at most ostp.MaxNACK.
// Those that cannot come within patience any more are given up.
func (g *gaps) due(dst []uint16, now timebase.Local, roundTrip, patience time.Duration) []uint16 {
	kept := g.missing[:0]
	again := max(time.Duration(float64(roundTrip)*askAgain), leastAgain)
	for _, m := range g.missing {
		if now.Sub(m.since) > patience {
			g.lost++
			continue
		}
		if now >= m.next && len(dst) < ostp.MaxNACK && now.Sub(m.since)+roundTrip < patience {
			dst = append(dst, uint16(m.sequence))
			m.next = now.Add(again)
			m.times++
			g.asked++
		}
		kept = append(kept, m)
	}
	g.missing = kept
	return dst
}

package main

import (
	"os"
	"testing"
	"time"
)

// A speaker is forced between LAN, p2p, relay and WebSocket at random moments, with a
// busy loop and packets for nobody beside it, until it has changed ways 15 times: its
// recording lacks nothing, and nothing comes twice.
func TestWays(t *testing.T) {
	t.Parallel()
	const changes = 15
	s, original, err := newWays(t.Context(), os.Getenv(envBinary), t.TempDir(), 3, 2, 3*patience, time.Second)
	if s == nil {
		t.Skip(err)
	}
	st := &stage{T: t, house: s.world.house}
	t.Cleanup(st.end)
	t.Cleanup(func() { st.must(s.close()) })
	st.must(err)
	st.must(s.disturb(t.Context(), 1))
	st.must(s.run(t.Context(), changes, 2*patience))
	if n := s.changes(); n < changes {
		t.Errorf("only %d changes in %v", n, 2*patience)
	}
	for _, m := range s.moves {
		last := st.now(m.machine)
		m.stop()
		p, err := follow(m.room, original, last)
		st.must(err)
		t.Logf("%s: %d changes; %v", m.name, m.changes(), p)
		if len(p.breaks) > 0 {
			t.Errorf("%s: its recording is not whole; load %s", m.name, load())
		}
	}
}

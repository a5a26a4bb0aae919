package main

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/internal/netlab"
)

// away is a source in one home and a speaker in another.
type away struct {
	*stage
	world   *world
	sending *home
	hearing *home
	room    *room
	relay   string // as source and speaker name it, if they do otherwise
}

func newAway(t *testing.T, sending, hearing netlab.NAT) *away {
	t.Helper()
	return newAwayBy(t, "", sending, hearing)
}

// newAwayBy is newAway with a relay that is configured so.
func newAwayBy(t *testing.T, relay string, sending, hearing netlab.NAT) *away {
	t.Helper()
	w, err := newWorld(os.Getenv(envBinary), t.TempDir())
	if err != nil {
		t.Skip(err)
	}
	a := &away{stage: &stage{T: t, house: w.house}, world: w, room: &room{name: "Far"}}
	t.Cleanup(a.end)
	t.Cleanup(func() { a.must(w.close()) })
	a.must(w.startRelay(t.Context(), relay))
	a.sending, err = w.addHome(sending)
	a.must(err)
	a.hearing, err = w.addHome(hearing)
	a.must(err)
	a.source, err = a.sending.add("source")
	a.must(err)
	a.room.machine, err = a.hearing.add("Far")
	a.must(err)
	return a
}

// play starts the source, with what more it is told, and the speaker.
func (a *away) play(args ...string) {
	a.Helper()
	a.must(a.source.source(a.Context(), append([]string{"--channel", "far", "--relay", cmp.Or(a.relay, a.source.relay), "tune"}, args...)...))
	a.listen(a.room)
}

// listen starts a speaker.
func (a *away) listen(r *room, args ...string) {
	a.Helper()
	a.must(r.speaker(a.Context(), "wav:"+r.recording(), append([]string{"--channel", "far", "--relay", cmp.Or(a.relay, r.relay)}, args...)...))
}

// mode waits until the speaker plays by a mode.
func (a *away) mode(want string) {
	a.Helper()
	ctx, cancel := context.WithTimeout(a.Context(), patience)
	defer cancel()
	for {
		s, err := a.room.status()
		if err == nil && s.Path != nil && s.Path.Mode == want && s.State == "playing" {
			return
		}
		select {
		case <-ctx.Done():
			a.Fatalf("the speaker does not play by %s: %+v, %v", want, s.Path, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Two homes behind NATs between which there is no straight way: the relay plays, also
// when a NAT forgets its mappings. Where UDP is blocked in mid-stream, WebSocket takes
// over, and when it is let through again, the relay by UDP. The relay is stopped and
// started again, then killed and started again, and the speaker plays on.
func TestRelayAway(t *testing.T) {
	a := newAway(t, netlab.Restricted, netlab.Symmetric)
	a.play()
	a.mode("relay")
	heard := a.heard()
	a.must(a.hearing.router.host.Router(a.hearing.outer, netlab.Symmetric)) // it forgets its mappings
	a.goesOn(heard, 200)
	a.mode("relay")
	a.must(a.hearing.router.host.Router(a.hearing.outer, netlab.UDPBlocked))
	a.mode("websocket")
	a.must(a.hearing.router.host.Router(a.hearing.outer, netlab.Symmetric))
	a.mode("relay")
	before := a.heard()
	a.world.relay.stop() // it asks its members to go elsewhere first
	a.must(a.world.startRelay(a.Context(), ""))
	a.goesOn(before, 200)
	a.mode("relay")
	before = a.heard()
	a.must(a.world.relay.signal(syscall.SIGKILL))
	a.world.relay.stop()
	a.must(a.world.startRelay(a.Context(), ""))
	a.goesOn(before, 200)
	a.mode("relay")
}

// relayed is how many copies the relay has sent.
func (a *away) relayed() float64 {
	a.Helper()
	counts, err := a.world.relay.relayCounts()
	a.must(err)
	return counts["packets_sent_total"]
}

// heard is how many packets the speaker has had.
func (a *away) heard() uint64 {
	a.Helper()
	s, err := a.room.status()
	a.must(err)
	return s.Packets.Received
}

// goesOn waits until so many more packets have come.
func (a *away) goesOn(before, more uint64) {
	a.Helper()
	for end := time.Now().Add(patience); a.heard() < before+more; time.Sleep(25 * time.Millisecond) {
		if time.Now().After(end) {
			a.Fatalf("only %d packets came since", a.heard()-before)
		}
	}
}

// Two networks that reach each other: the way is straight from source to speaker, the
// relay sends the speaker nothing more, and when the way is cut the relay takes over.
func TestPeerAway(t *testing.T) {
	a := newAway(t, netlab.Routed, netlab.Restricted)
	a.play()
	a.mode("p2p")
	s, err := a.room.status()
	a.must(err)
	t.Logf("%+v", *s.Path)
	time.Sleep(3 * time.Second) // the overlap of ways
	sent, heard := a.relayed(), a.heard()
	a.goesOn(heard, 200)
	if more := a.relayed() - sent; more != 0 {
		t.Errorf("the relay sent %g packets more while the speaker heard the source itself", more)
	}
	a.filter(a.hearing, "ip saddr != "+relayAddress+" ip daddr != "+relayAddress+" drop")
	a.mode("relay")
	if _, err := os.Stat(filepath.Join(a.dir, "relay.log")); err != nil {
		t.Error(err)
	}
}

package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/internal/netlab"
)

// The relay gives out credentials for a TURN server that does not take them: the
// listener goes on by the relay, says why there is no straight way, and leaves the TURN
// server in peace.
func TestTURNRefuses(t *testing.T) {
	t.Parallel()
	const elsewhere = "203.0.113.2"
	a := newAwayBy(t, "[turn]\nmode = \"coturn\"\nurls = [\"turn:"+elsewhere+":3478\"]\nsecret = \"another\"\n", netlab.Symmetric, netlab.Symmetric)
	server, err := a.world.place("turn", a.world.house.sw, netip.MustParsePrefix(elsewhere+"/24"), netlab.WithImpairment(1))
	a.must(err)
	a.must(server.serveTURN(a, elsewhere))
	a.must(a.source.source(a.Context(), "--channel", "far", "--relay", relayAddress, "--turn", "tune"))
	a.listen(a.room, "--turn")
	a.mode("relay")
	a.until(a.room.machine, "telling why it is not p2p", func(s control.Status) bool {
		return s.Path != nil && s.Path.Mode == "relay" && hasAll(s.Path.Better, []string{"p2p: no way between the two networks", "TURN server gives no address", "401"})
	})
	a.says(a.source, "a listener cannot come straight", "TURN server gives no address", "401")
	const watched = 10 * time.Second
	before, heard := server.link.Counts(netlab.ToHost).In, a.heard()
	time.Sleep(watched)
	// An attempt takes 8 s and each side asks some ten times; a loop asks thousands of times.
	if asked := server.link.Counts(netlab.ToHost).In - before; asked > 200 {
		t.Errorf("the TURN server had %d packets in %v", asked, watched)
	} else {
		t.Logf("the TURN server had %d packets in %v", asked, watched)
	}
	a.goesOn(heard)
}

// serveTURN makes the machine a TURN server with a secret of its own: one inside
// another relay.
func (m *machine) serveTURN(a *away, public string) error {
	other := &world{house: &house{binary: a.binary, dir: a.TempDir()}, relay: m}
	return other.startRelay(a.Context(), "[turn]\nmode = \"embedded\"\npublic = \""+public+"\"\n")
}

// A TURN server has no place left: who came first plays on by it, and the next one
// goes on by the relay and says why.
func TestTURNFull(t *testing.T) {
	t.Parallel()
	a := newAwayBy(t, "[turn]\nmode = \"embedded\"\npublic = \""+relayAddress+"\"\nports = \"49152-49152\"\n", netlab.Symmetric, netlab.Symmetric)
	next := &room{name: "Next"}
	third, err := a.world.addHome(netlab.Symmetric) // at home Next would hear by Far
	a.must(err)
	next.machine, err = third.add("Next")
	a.must(err)
	a.must(a.source.source(a.Context(), "--channel", "far", "--relay", relayAddress, "--turn", "tune"))
	a.listen(a.room, "--turn")
	a.mode("p2p")
	a.listen(next, "--turn")
	a.until(next.machine, "telling why it is not p2p", func(s control.Status) bool {
		return s.State == "playing" && s.Path != nil && s.Path.Mode == "relay" && strings.Contains(s.Path.Better, "TURN server gives no address")
	})
	t.Log(a.now(next.machine).Path.Better)
	a.mode("p2p")
}

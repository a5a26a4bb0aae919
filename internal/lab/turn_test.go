package main

import (
	"net/netip"
	"os/exec"
	"path/filepath"
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
	a := newAwayBy(t, byCoturn, netlab.Symmetric, netlab.Symmetric)
	server := a.coturn("another than what the relay knows")
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
	a.goesOn(heard, 200)
}

// Homes between which there is no straight way hear each other by a coturn that the
// relay gives credentials for, encrypted from end to end.
func TestCoturn(t *testing.T) {
	t.Parallel()
	a := newAwayBy(t, byCoturn, netlab.Symmetric, netlab.Symmetric)
	a.coturn(coturnSecret)
	a.must(a.source.source(a.Context(), "--channel", "far", "--relay", relayAddress, "--turn", "tune"))
	a.listen(a.room, "--turn")
	a.mode("p2p")
	heard := a.heard()
	a.goesOn(heard, 200)
	a.mode("p2p")
}

const (
	coturnAddress = "203.0.113.2"
	coturnSecret  = "known to both"
	byCoturn      = "[turn]\nmode = \"coturn\"\nurls = [\"turn:" + coturnAddress + ":3478\"]\nsecret = \"" + coturnSecret + "\"\n"
)

// coturn is a real TURN server on a machine of its own.
func (a *away) coturn(secret string) *machine {
	a.Helper()
	program, err := exec.LookPath("turnserver")
	if err != nil {
		a.Skip("coturn is not installed: `apt-get install coturn` for this test")
	}
	m, err := a.world.place("turn", a.world.house.sw, netip.MustParsePrefix(coturnAddress+"/24"), netlab.WithImpairment(1))
	a.must(err)
	// It ends a session that it cannot send for at all, such as to a home's inner address.
	a.must(m.host.Through(netip.MustParseAddr(relayAddress)))
	dir := a.TempDir()
	a.must(m.run(a.Context(), []string{program, "-n", "--no-cli", "--no-tls", "--no-dtls", "--listening-ip", coturnAddress, "--relay-ip", coturnAddress,
		"--realm", "tutti", "--use-auth-secret", "--static-auth-secret", secret, "--log-file", "stdout", "--pidfile", filepath.Join(dir, "pid"),
		"--userdb", filepath.Join(dir, "db")}))
	return m
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

package main

import (
	"testing"

	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/internal/netlab"
)

// A speaker says what NAT it is behind, with a relay that nobody has configured.
func TestNATKinds(t *testing.T) {
	t.Parallel()
	for kind, want := range map[netlab.NAT]string{
		netlab.Routed: "no NAT", netlab.Restricted: "a plain NAT", doubleNAT: "a plain NAT", netlab.Symmetric: "a symmetric NAT",
		netlab.IPv6Only: "no NAT", netlab.UDPBlocked: "UDP is blocked",
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			a := newAway(t, netlab.Routed, kind)
			a.play()
			a.until(a.room.machine, "knowing its NAT", func(s control.Status) bool { return s.Path != nil && s.Path.NAT == want })
			if s := a.now(a.room.machine); (s.Path.SeenAs == "") != (kind == netlab.UDPBlocked) {
				t.Errorf("seen as %q", s.Path.SeenAs)
			}
			a.says(a.source, "the network to the relay", "no NAT")
		})
	}
}

// Two homes behind plain NATs find a straight way by a relay that nobody has configured.
func TestPlainPair(t *testing.T) {
	t.Parallel()
	a := newAway(t, netlab.Restricted, netlab.Restricted)
	a.play()
	a.mode("p2p")
}

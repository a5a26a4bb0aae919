package main

import (
	"testing"

	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/internal/netlab"
)

// Pairs of networks: what they can reach each other by is what plays.
func TestPairs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sending, hearing netlab.NAT
		want             string
	}{
		{doubleNAT, doubleNAT, "p2p"},
		{netlab.IPv6Only, netlab.IPv6Only, "p2p"},
		{netlab.IPv6Only, netlab.Restricted, "relay"},
		{netlab.Restricted, netlab.IPv6Only, "relay"},
		{netlab.UDPBlocked, netlab.Restricted, "relay"},
	} {
		t.Run(string(c.sending+" to "+c.hearing), func(t *testing.T) {
			t.Parallel()
			a := newAwayBy(t, embeddedTURN, c.sending, c.hearing)
			a.play()
			a.mode(c.want)
			if c.want == "p2p" {
				return
			}
			a.until(a.room.machine, "telling why it is not p2p", func(s control.Status) bool { return s.Path != nil && s.Path.Better != "" })
			a.mode("relay")
		})
	}
}

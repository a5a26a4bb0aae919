package main

import (
	"strings"
	"testing"

	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/internal/netlab"
)

// What a relay that is ill does not do, as rules of its host. PINGs pass, and RTCP.
const (
	noJoins    = "udp dport 5100 @th,64,32 0x4a4f494e drop\n" // JOIN
	noMediaIn  = "udp dport 5100 @th,64,2 2 @th,72,8 < 192 drop\n"
	noMediaOut = "udp sport 5100 @th,64,2 2 @th,72,8 < 192 drop\n"
)

// A relay answers PINGs and nothing else by UDP: the listener goes on by WebSocket, and
// comes back. Then it takes nothing in from the source, either: the listener says so, and
// the source goes on by WebSocket, and comes back.
func TestRelaySilent(t *testing.T) {
	t.Parallel()
	a := newAway(t, netlab.Restricted, netlab.Symmetric)
	a.play()
	a.mode("relay")
	relay := a.world.relay.host
	a.must(relay.Filter(netlab.Filter{In: noJoins, Out: noMediaOut}))
	a.mode("websocket")
	a.must(relay.Filter(netlab.Filter{}))
	a.mode("relay")
	a.must(relay.Filter(netlab.Filter{In: noJoins + noMediaIn}))
	a.until(a.room.machine, "telling of the silence", func(s control.Status) bool {
		return s.State == "waiting" && strings.Contains(s.Problem, "answers but passes nothing on")
	})
	a.says(a.source, "the relay does not have the stream", "answers PINGs but no JOIN")
	a.says(a.source, "the relay gets the stream by WebSocket")
	a.goesOn(a.heard(), 200)
	a.mode("relay")
	a.must(relay.Filter(netlab.Filter{}))
	a.says(a.source, "the relay gets the stream by UDP")
	a.goesOn(a.heard(), 200)
}

package main

import (
	"net/netip"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/internal/netlab"
)

// A speaker is carried out of the house with the music on, into a network of another
// house, and back: outside it hears the stream by the relay, at home by the network, and
// neither waits until sockets of where it was have been given up.
func TestSpeakerLeavesHome(t *testing.T) {
	t.Parallel()
	a := newAway(t, netlab.Symmetric, netlab.Symmetric)
	speaker := a.room.machine
	speaker.address = "127.0.0.1:8400" // it answers wherever it is
	near, err := speaker.host.Connect(a.sending.sw, netip.PrefixFrom(a.sending.inside(50), 24))
	a.must(err)
	carry := func(from, to *netlab.Link, house *home) {
		a.must(from.Down())
		a.must(to.Up())
		a.must(speaker.host.Through(house.inside(1)))
	}
	carry(speaker.link, near, a.sending)
	a.play("--latency", "300ms")
	a.mode("lan")
	time.Sleep(2 * time.Second)

	for range 2 {
		a.carried("relay", func() { carry(near, speaker.link, a.hearing) })
		time.Sleep(2 * time.Second)
		a.carried("lan", func() { carry(speaker.link, near, a.sending) })
		time.Sleep(2 * time.Second)
	}
	a.says(speaker, "by=lan", "this host's way to the sender has changed")
	a.says(speaker, "by=relay", "this host's way to the relay has changed")
}

// carried waits until the speaker is served again after a move, and plays by a way.
func (a *away) carried(way string, move func()) {
	a.Helper()
	move()
	began, before := time.Now(), a.heard()
	a.goesOn(before, 20)
	again := time.Since(began)
	a.mode(way)
	a.Logf("served again %v after the move; by %s after %v", again.Round(time.Millisecond), way, time.Since(began).Round(time.Millisecond))
}

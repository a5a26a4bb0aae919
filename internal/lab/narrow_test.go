package main

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/internal/netlab"
	"github.com/tutti-audio/tutti/internal/selfsigned"
)

// narrow is the longest packet that every IPv6 path takes, and some IPv4 paths do not
// exceed.
const narrow = 1280

// longest makes payloads of 1,152 bytes: 8 channels, 24 bits, 1 ms.
func longest() []string { return []string{"--channels", "8", "--codec", "pcm24", "--packet", "1ms"} }

// narrow makes the home's router a black hole: longer packets are lost on it either
// way, and nobody is told.
func (a *away) narrow(h *home) {
	a.Helper()
	a.must(h.router.link.SetMTU(narrow))
	a.must(h.outer.SetMTU(narrow))
	a.filter(h, "")
}

// filter has a home's router drop what fits the rules, and be silent on packets that
// are too long.
func (a *away) filter(h *home, rules string) {
	a.Helper()
	a.must(h.router.host.Filter(netlab.Filter{Out: "icmp type destination-unreachable drop\nicmpv6 type packet-too-big drop", Through: rules}))
}

// swallows checks that a path takes packets of the narrow size and loses longer ones.
func (a *away) swallows(from *machine, to *machine, at netip.Addr) {
	a.Helper()
	header := 28
	if at.Is6() {
		header = 48
	}
	var in, out net.Conn
	a.must(to.host.Do(func() error {
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 9)))
		in = c
		return err
	}))
	defer in.Close()
	a.must(from.host.Do(func() (err error) {
		out, err = net.Dial("udp", netip.AddrPortFrom(at, 9).String())
		return err
	}))
	defer out.Close()
	buf := make([]byte, 2000)
	for _, size := range []int{narrow + 1, narrow} { // the long one first: what comes is the other
		_, err := out.Write(make([]byte, size-header))
		a.must(err)
	}
	a.must(in.SetReadDeadline(time.Now().Add(patience)))
	if n, err := in.Read(buf); err != nil || n != narrow-header {
		a.Fatalf("the first packet to come through has %d bytes of payload, not %d: %v", n, narrow-header, err)
	}
}

// A path swallows packets of more than 1,280 bytes: p2p, the relay and WebSocket all
// play packets of the greatest length through it.
func TestNarrow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind           netlab.NAT
		family, server string
	}{{netlab.Restricted, "ip", relayAddress}, {netlab.IPv6Only, "ip6", relayAddress6}} {
		t.Run(c.family, func(t *testing.T) {
			t.Parallel()
			a := newAwayBy(t, embeddedTURN, c.kind, c.kind)
			a.narrow(a.hearing)
			a.swallows(a.room.machine, a.world.relay, netip.MustParseAddr(c.server))
			a.play(longest()...)
			a.mode("p2p")
			a.goesOn(a.heard(), 200)
			a.filter(a.hearing, fmt.Sprintf("%s saddr != %s %[1]s daddr != %[2]s drop", c.family, c.server))
			a.mode("relay")
			a.goesOn(a.heard(), 200)
			a.filter(a.hearing, "meta l4proto udp drop")
			a.mode("websocket")
			a.goesOn(a.heard(), 200)
		})
	}
}

// The same where the relay encrypts, with a certificate that is longer than a packet.
func TestNarrowEncrypted(t *testing.T) {
	t.Parallel()
	names := []string{relayAddress}
	for i := range 120 {
		names = append(names, fmt.Sprintf("name-%d-of-many.relay.test", i))
	}
	self, err := selfsigned.New(time.Now().Add(time.Hour), names...)
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := self.Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a := newAwayBy(t, fmt.Sprintf("[tls]\ncertificate = %q\nkey = %q\n", cert, key), netlab.Restricted, netlab.Symmetric)
	a.narrow(a.hearing)
	a.narrow(a.sending)
	a.relay = "https://" + net.JoinHostPort(relayAddress, "5102")
	for _, m := range []*machine{a.source, a.room.machine} {
		m.env = []string{"SSL_CERT_FILE=" + cert}
	}
	a.play(longest()...)
	a.mode("relay")
	a.goesOn(a.heard(), 200)
	a.filter(a.hearing, "meta l4proto udp drop")
	a.mode("websocket")
	a.goesOn(a.heard(), 200)
}

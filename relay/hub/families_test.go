package hub

import (
	"bytes"
	"log/slog"
	"net"
	"net/netip"
	"testing"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/line"
)

// TestFamilies: IPv4 and IPv6 members hear each other by one port, and each is told
// its address as it knows it.
func TestFamilies(t *testing.T) {
	s := &stage{t: t}
	var err error
	s.Hub, err = New(Config{Listen: netip.MustParseAddrPort("[::]:0"), Workers: 2, Settings: Default(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	dial := func(network, host string) *client {
		conn, err := net.DialUDP(network, nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(host), s.LocalAddr().Port())))
		if err != nil {
			t.Skip("this host lacks a family: ", err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return &client{UDPConn: conn, t: t, stage: s}
	}
	four, six := dial("udp4", "127.0.0.1"), dial("udp6", "::1")
	four.join("a:::four:send")
	six.join("a:::six")
	for _, c := range []*client{four, six} {
		own := c.LocalAddr().(*net.UDPAddr).AddrPort()
		if got := wait[line.YourAddr](c).Addr; got != own {
			t.Errorf("%v is told that it is %v", own, got)
		}
	}
	b := packet(7, 1, ostp.Opus, "across")
	four.say(string(b))
	four.sync()
	if _, media := six.heard(); len(media) != 1 || !bytes.Equal(media[0], b) {
		t.Errorf("heard %q", media)
	}
	six.say("PING:" + four.LocalAddr().String() + ":99")
	if got := wait[line.PingPeer](four); got.Peer != six.LocalAddr().(*net.UDPAddr).AddrPort() || got.Time != "99" {
		t.Errorf("a PING arrives as %+v", got)
	}
}

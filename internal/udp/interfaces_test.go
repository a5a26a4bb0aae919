package udp

import (
	"net"
	"net/netip"
	"testing"
)

func TestWay(t *testing.T) {
	c, err := net.Dial("udp", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	here, nobodys := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("192.0.2.1")
	for _, test := range []struct {
		what        string
		way         Way
		other, gone bool
	}{
		{"the one that is taken", WayOf(c), false, false},
		{"from an address that is still there", Way{here, netip.IPv6Loopback()}, true, false},
		{"from one that is not", Way{nobodys, here}, true, true},
		{"to where none leads", Way{Local: nobodys}, false, false},
	} {
		if _, err := localTo(test.way.To); err != nil && test.way.To.Is6() {
			continue // this host has no IPv6
		}
		if other, gone := test.way.Look(); other != test.other || gone != test.gone {
			t.Errorf("%s: %v, %v", test.what, other, gone)
		}
	}
}

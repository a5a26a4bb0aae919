package discovery

import (
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// TestIPv4AddressIsAskedFor finds a host by what avahi says over IPv6: its IPv4 address
// is asked for, a few times, and there once it is told.
func TestIPv4AddressIsAskedFor(t *testing.T) {
	s := newSim(t, 1, 0)
	b := s.browse(0, "_ostp._udp")
	tell := func(rrs ...string) {
		msg := &dns.Msg{MsgHdr: dns.MsgHdr{Response: true}}
		for _, text := range rrs {
			rr, err := dns.NewRR(text)
			if err != nil {
				t.Fatal(err)
			}
			msg.Answer = append(msg.Answer, rr)
		}
		data, err := msg.Pack()
		if err != nil {
			t.Fatal(err)
		}
		s.engines[0].receive(s.now, packet{data: data, src: netip.AddrPortFrom(simAddr(1), port), link: 2, group: true})
	}
	start := s.now
	tell("_ostp._udp.local. 4500 IN PTR Hall._ostp._udp.local.", "Hall._ostp._udp.local. 120 IN SRV 0 0 5004 hall.local.",
		`Hall._ostp._udp.local. 4500 IN TXT "role=source"`, "hall.local. 120 IN AAAA fe80::1")
	s.run(30 * time.Second)
	if es := b.Entries(); len(es) != 1 || es[0].Addrs[0].String() != "[fe80::1%eth0]:5004" {
		t.Fatalf("by IPv6: %+v", es)
	}
	if at, _ := s.messages(0, start, asks(dns.TypeA)); len(at) != maxTriesIPv4 || at[0] > 100*time.Millisecond {
		t.Errorf("asked for its IPv4 address at %v, want %d times", at, maxTriesIPv4)
	}
	tell("hall.local. 120 IN A 10.0.0.2")
	s.run(time.Second)
	if es := b.Entries(); len(es) != 1 || es[0].Addrs[0].String() != "10.0.0.2:5004" || len(es[0].Addrs) != 2 {
		t.Errorf("by both: %+v", es)
	}
}

package discovery

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// bogus is an announcement of an instance that does not exist.
func bogus(t *testing.T, i int, complete bool) []byte {
	t.Helper()
	full := fmt.Sprintf("bogus%d._ostp._udp.local.", i)
	h := func(name string, typ uint16) dns.RR_Header {
		return dns.RR_Header{Name: name, Rrtype: typ, Class: dns.ClassINET, Ttl: 4294967295}
	}
	msg := &dns.Msg{MsgHdr: dns.MsgHdr{Response: true, Authoritative: true}, Answer: []dns.RR{&dns.PTR{Hdr: h("_ostp._udp.local.", dns.TypePTR), Ptr: full}}}
	if complete {
		host := fmt.Sprintf("bogus%d.local.", i)
		msg.Answer = append(msg.Answer,
			&dns.SRV{Hdr: h(full, dns.TypeSRV), Port: 1, Target: host},
			&dns.TXT{Hdr: h(full, dns.TypeTXT), Txt: []string{"x=y"}},
			&dns.A{Hdr: h(host, dns.TypeA), A: []byte{10, 0, byte(i >> 8), byte(i)}})
	}
	data, err := msg.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestThousandsOfBogusServicesAreBounded(t *testing.T) {
	for _, complete := range []bool{false, true} {
		s := newSim(t, 2, 0)
		b := s.browse(0, "_ostp._udp")
		s.run(time.Second)
		e := s.engines[0]
		feed := func(i int, src netip.Addr) {
			e.receive(s.now, packet{data: bogus(t, i, complete), src: netip.AddrPortFrom(src, port), link: 2, group: true})
		}
		for i := range 20000 {
			feed(i, netip.MustParseAddr("10.0.0.66"))
		}
		if n := len(e.found.all); n != maxFoundSource {
			t.Errorf("%d instances of one sender are kept, want %d", n, maxFoundSource)
		}
		// One sender leaves room for another's real service.
		s.engines[1].announce(s.now, speaker("Kitchen"))
		start := s.now
		s.run(10 * time.Second)
		if !has("Kitchen")(onlyReal(b.Entries())) {
			t.Error("a real service was not found beside the bogus ones")
		}
		if at, msgs := s.messages(0, start, func(m *dns.Msg) bool { return !m.Response }); countQuestions(msgs) > 11*maxAsk {
			t.Errorf("%d questions in 10 s (%d queries)", countQuestions(msgs), len(at))
		}
		for i := range 20000 { // now from many senders
			feed(i, netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}))
		}
		if len(e.found.all) > maxFound || e.cache.size > maxRecords || len(b.pending) > maxFound || len(b.order) > maxFound {
			t.Errorf("%d instances, %d records, %d events", len(e.found.all), e.cache.size, len(b.pending))
		}
		if e.stats.Dropped < 30000 {
			t.Errorf("%d records dropped were counted", e.stats.Dropped)
		}
		s.run(maxLife + time.Minute) // lives of 136 years are cut
		if n := len(onlyReal(b.Entries())); n != 1 || len(e.found.all) != 1 {
			t.Errorf("after the longest life: %d real, %d in all", n, len(e.found.all))
		}
		if want := 1; len(e.found.bySource) != want || len(e.found.byHost) != want {
			t.Errorf("indexes keep %d senders and %d hosts", len(e.found.bySource), len(e.found.byHost))
		}
	}
}

func countQuestions(msgs []*dns.Msg) (n int) {
	for _, m := range msgs {
		n += len(m.Question)
	}
	return n
}

// onlyReal leaves the bogus entries out.
func onlyReal(es []Entry) (out []Entry) {
	for _, e := range es {
		if e.Instance == "Kitchen" {
			out = append(out, e)
		}
	}
	return out
}

func TestForeignSourcesAreNotAnswered(t *testing.T) {
	s := newSim(t, 1, 0)
	e := s.engines[0]
	e.announce(s.now, speaker("Kitchen"))
	s.run(5 * time.Second)
	start := s.now
	for _, qclass := range []uint16{dns.ClassINET, dns.ClassINET | flush} {
		data, _ := (&dns.Msg{Question: []dns.Question{{Name: "_ostp._udp.local.", Qtype: dns.TypePTR, Qclass: qclass}}}).Pack()
		for _, group := range []bool{false, true} {
			for _, p := range []uint16{port, 40000} {
				e.receive(s.now, packet{data: data, src: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.9"), p), link: 2, group: group})
			}
		}
	}
	s.run(5 * time.Second)
	if at, _ := s.messages(0, start, isAnswer); len(at) != 0 {
		t.Errorf("%d answers to another network", len(at))
	}
	if e.stats.Foreign != 8 {
		t.Errorf("%d foreign packets counted, want 8", e.stats.Foreign)
	}
}

func TestUnicastAnswersAreLimited(t *testing.T) {
	s := newSim(t, 1, 0)
	e := s.engines[0]
	e.announce(s.now, speaker("Kitchen"))
	s.run(5 * time.Second)
	start := s.now
	data, _ := (&dns.Msg{Question: []dns.Question{{Name: "_ostp._udp.local.", Qtype: dns.TypePTR, Qclass: dns.ClassINET}}}).Pack()
	for range 10000 {
		e.receive(s.now, packet{data: data, src: netip.MustParseAddrPort("10.0.0.9:40000"), link: 2, group: true})
	}
	if at, _ := s.messages(0, start, isAnswer); len(at) != unicastRate {
		t.Errorf("%d unicast answers at once, want %d", len(at), unicastRate)
	}
	if e.stats.Throttled != 10000-unicastRate {
		t.Errorf("%d throttled", e.stats.Throttled)
	}
}

func TestEndlessConflictsSlowDown(t *testing.T) {
	s := newSim(t, 1, 0)
	e := s.engines[0]
	a := e.announce(s.now, speaker("Kitchen"))
	start := s.now
	for s.now.Sub(start) < time.Minute { // a device that claims every name
		s.run(10 * time.Millisecond)
		srv := &dns.SRV{Hdr: dns.RR_Header{Name: instanceName(a.instance, "_ostp._udp"), Rrtype: dns.TypeSRV, Class: dns.ClassINET, Ttl: 120}, Port: 1, Target: "evil.local."}
		data, _ := (&dns.Msg{MsgHdr: dns.MsgHdr{Response: true}, Answer: []dns.RR{srv}}).Pack()
		e.receive(s.now, packet{data: data, src: netip.AddrPortFrom(simAddr(1), port), link: 2, group: true})
	}
	if at, _ := s.messages(0, start, isProbe); len(at) < 10 || len(at) > 100 {
		t.Errorf("%d probes in a minute", len(at))
	}
}

func TestFloodOfOneSenderLeavesOthersThrough(t *testing.T) {
	g, now := newGate(), time.Unix(1e9, 0)
	bad, good, passed := netip.MustParseAddr("10.0.0.66"), netip.MustParseAddr("10.0.0.2"), 0
	for g.index(bad) == g.index(good) {
		g = newGate() // they happened to share a bucket
	}
	for i := range 100000 {
		if g.pass(now, bad) {
			passed++
		}
		if i%1000 == 0 && !g.pass(now, good) {
			t.Fatal("a quiet sender was refused")
		}
	}
	if passed != packetRate {
		t.Errorf("%d packets of a flood passed at once, want %d", passed, packetRate)
	}
	if now = now.Add(time.Second); !g.pass(now, bad) {
		t.Error("refused for ever")
	}
}

func FuzzReceive(f *testing.F) {
	s := newSim(nil, 1, 0)
	s.engines[0].announce(s.now, speaker("Kitchen"))
	s.run(5 * time.Second)
	for _, d := range s.sent {
		f.Add(d.data, uint16(port), true)
		f.Add(d.data, uint16(40000), false)
	}
	query, _ := (&dns.Msg{MsgHdr: dns.MsgHdr{Truncated: true}, Question: []dns.Question{{Name: "_ostp._udp.local.", Qtype: dns.TypeANY, Qclass: dns.ClassANY | flush}}}).Pack()
	f.Add(query, uint16(port), true)
	f.Fuzz(func(t *testing.T, data []byte, src uint16, group bool) {
		s := newSim(t, 1, 0)
		e := s.engines[0]
		e.announce(s.now, speaker("Kitchen"))
		s.browse(0, "_ostp._udp", "_soluna._udp")
		s.run(3 * time.Second)
		for range 3 {
			e.receive(s.now, packet{data: data, src: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.9"), src), link: 2, group: group})
			sent := len(s.sent)
			s.run(2 * time.Second)
			if n := len(s.sent) - sent; n > 500 {
				t.Errorf("one packet made %d in two seconds", n)
			}
		}
		if e.cache.size > maxRecords || len(e.found.all) > maxFound {
			t.Errorf("%d records, %d instances", e.cache.size, len(e.found.all))
		}
		count := 0
		for _, rs := range e.cache.slots {
			count += len(rs)
		}
		if count != e.cache.size {
			t.Errorf("the cache holds %d records and counts %d", count, e.cache.size)
		}
	})
}

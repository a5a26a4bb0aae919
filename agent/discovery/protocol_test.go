package discovery

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func TestProbesThenAnnouncesTwice(t *testing.T) {
	s := newSim(t, 1, 0)
	start := s.now
	s.engines[0].announce(s.now, speaker("Kitchen"))
	s.run(5 * time.Second)
	probes, msgs := s.messages(0, start, isProbe)
	if len(probes) != 3 || probes[0] > 250*time.Millisecond || probes[1]-probes[0] != probeInterval || probes[2]-probes[1] != probeInterval {
		t.Fatalf("probes at %v, want 3 with 250 ms between, the first within 250 ms", probes)
	}
	if len(msgs[0].Question) != 3 || msgs[0].Question[0].Qtype != dns.TypeANY || len(msgs[0].Ns) != 6 {
		t.Errorf("a probe asks for all names and proposes SRV and TXT: %v", msgs[0])
	}
	at, told := s.messages(0, start, isAnswer)
	if len(at) != 2 || at[0]-probes[2] != probeInterval || at[1]-at[0] != time.Second {
		t.Fatalf("announcements at %v after probes at %v", at, probes)
	}
	for _, rr := range told[0].Answer {
		h := rr.Header()
		if unique := h.Class&flush != 0; unique == (h.Rrtype == dns.TypePTR) {
			t.Errorf("cache-flush bit %v: %v", unique, rr)
		}
		if want := map[uint16]uint32{dns.TypeSRV: 120, dns.TypeA: 120, dns.TypeNSEC: 120, dns.TypePTR: 4500, dns.TypeTXT: 4500}[h.Rrtype]; h.Ttl != want {
			t.Errorf("life of %v, want %d", rr, want)
		}
	}
}

func TestQueriesBackOffToAnHour(t *testing.T) {
	s := newSim(t, 1, 0)
	start := s.now
	s.browse(0, "_ostp._udp")
	s.run(5 * time.Hour)
	at, _ := s.messages(0, start, asks(dns.TypePTR))
	if len(at) < 10 || at[0] < 20*time.Millisecond || at[0] > 120*time.Millisecond {
		t.Fatalf("queries at %v", at)
	}
	gap := time.Second
	for i := 1; i < len(at); i++ {
		if got := at[i] - at[i-1]; got != gap {
			t.Fatalf("query %d came %v after the one before, want %v", i, got, gap)
		}
		gap = min(2*gap, time.Hour)
	}
	if gap != time.Hour {
		t.Errorf("the interval only reached %v", gap)
	}
}

// kitchenFound is two hosts, of which the second has found the first's speaker.
func kitchenFound(t *testing.T) (*sim, *Browser) {
	t.Helper()
	s := newSim(t, 2, 0)
	s.engines[0].announce(s.now, speaker("Kitchen"))
	b := s.browse(1, "_ostp._udp")
	s.run(10 * time.Second)
	if len(b.Entries()) != 1 {
		t.Fatal("not found")
	}
	return s, b
}

func TestRefreshAtFourPartsOfLife(t *testing.T) {
	s, b := kitchenFound(t)
	s.lose = func(from int) bool { return from == 0 } // it falls silent
	born := b.Entries()[0].Seen
	s.run(2 * time.Minute)
	at, _ := s.messages(1, born, asks(dns.TypeSRV))
	at = slices.DeleteFunc(at, func(d time.Duration) bool { return d >= 2*time.Minute }) // asked for anew
	if len(at) != 4 {
		t.Fatalf("asked for the SRV record at %v, want 4 times", at)
	}
	for i, part := range []float64{.80, .85, .90, .95} {
		low := time.Duration(part * float64(120*time.Second))
		if at[i] < low || at[i] > low+2400*time.Millisecond {
			t.Errorf("refresh %d at %v, want %v to %v", i, at[i], low, low+2400*time.Millisecond)
		}
	}
	if len(b.Entries()) != 0 {
		t.Errorf("still there %v after its life", s.now.Sub(born))
	}
	s.lose = nil
	s.run(70 * time.Second) // the instance's PTR lives on: it is asked for
	if len(b.Entries()) != 1 {
		t.Error("not found again after it came back")
	}
}

func TestGoodbyeHasASecondOfGrace(t *testing.T) {
	s := newSim(t, 2, 0)
	a := s.engines[0].announce(s.now, speaker("Kitchen"))
	b := s.browse(1, "_ostp._udp")
	s.run(10 * time.Second)
	s.engines[0].withdraw(s.now, a)
	s.run(900 * time.Millisecond)
	if len(b.Entries()) != 1 {
		t.Error("removed before a second had passed")
	}
	s.run(400 * time.Millisecond)
	if len(b.Entries()) != 0 {
		t.Error("not removed after a second")
	}
	if n := s.engines[1].cache.size; n != 0 {
		t.Errorf("%d records of a withdrawn instance are still cached", n)
	}
}

// Who is in doubt and answers stays, without anybody noticing; who does not is gone after
// three seconds instead of two minutes. To doubt again and again costs no more queries.
func TestDoubt(t *testing.T) {
	s, b := kitchenFound(t)
	began := s.now
	for range 20 {
		s.engines[1].doubt(s.now, "Kitchen")
		s.run(100 * time.Millisecond)
	}
	s.run(8 * time.Second)
	if len(b.Entries()) != 1 || !b.Entries()[0].Seen.After(began) {
		t.Error("who answered is gone, or was not heard")
	}
	if at, _ := s.messages(1, began, asks(dns.TypeSRV)); len(at) != 1 {
		t.Errorf("asked %d times, want once", len(at))
	}
	s.lose = func(from int) bool { return from == 0 } // it falls silent
	s.engines[1].doubt(s.now, "Kitchen")
	s.run(2900 * time.Millisecond)
	if len(b.Entries()) != 1 {
		t.Error("gone too early")
	}
	s.run(time.Second)
	if len(b.Entries()) != 0 {
		t.Error("still there")
	}
	s.lose = nil
	s.run(8 * time.Second) // it is looked for
	if len(b.Entries()) != 1 {
		t.Error("not found again")
	}
}

func TestKnownAnswersSilence(t *testing.T) {
	s := newSim(t, 2, 0)
	s.engines[0].announce(s.now, speaker("Kitchen"))
	s.browse(1, "_ostp._udp")
	s.run(10 * time.Second)
	start := s.now
	s.run(20 * time.Minute)
	if at, _ := s.messages(1, start, asks(dns.TypePTR)); len(at) == 0 {
		t.Fatal("no query in 20 minutes")
	}
	at, msgs := s.messages(0, start, isAnswer)
	for i, m := range msgs {
		for _, rr := range m.Answer {
			if rr.Header().Rrtype == dns.TypePTR {
				t.Errorf("answered at %v what the querier knew: %v", at[i], rr)
			}
		}
	}
}

func TestNoRecordTwiceInASecond(t *testing.T) {
	s := newSim(t, 2, 0)
	s.engines[0].announce(s.now, speaker("Kitchen"))
	s.run(10 * time.Second)
	start := s.now
	ask := &dns.Msg{Question: []dns.Question{{Name: "_ostp._udp.local.", Qtype: dns.TypePTR, Qclass: dns.ClassINET}}}
	data, _ := ask.Pack()
	for range 100 { // ten queries a second
		s.engines[0].receive(s.now, packet{data: data, src: netip.AddrPortFrom(simAddr(1), port), link: 2, group: true})
		s.run(100 * time.Millisecond)
	}
	at, _ := s.messages(0, start, isAnswer)
	if len(at) < 8 || len(at) > 11 {
		t.Fatalf("%d answers in 10 s, want about 10", len(at))
	}
	if at[0] < 20*time.Millisecond || at[0] > 120*time.Millisecond {
		t.Errorf("a shared record was answered after %v, want 20 to 120 ms", at[0])
	}
	for i := 1; i < len(at); i++ {
		if at[i]-at[i-1] < time.Second {
			t.Errorf("answers %v apart", at[i]-at[i-1])
		}
	}
}

func TestEstablishedNameIsDefended(t *testing.T) {
	s := newSim(t, 2, 0)
	first := s.engines[0].announce(s.now, speaker("Kitchen"))
	s.run(5 * time.Second)
	second := s.engines[1].announce(s.now, speaker("Kitchen"))
	s.run(10 * time.Second)
	if first.instance != "Kitchen" || second.instance != "Kitchen (2)" {
		t.Errorf("names %q and %q", first.instance, second.instance)
	}
	// Two networks that are joined later: both names are established.
	s = newSim(t, 2, 0)
	s.lose = func(int) bool { return true }
	as := []*announcement{s.engines[0].announce(s.now, speaker("Kitchen")), s.engines[1].announce(s.now, speaker("Kitchen"))}
	s.run(5 * time.Second)
	s.lose = nil
	s.browse(0, "_ostp._udp") // any query makes them hear each other
	s.run(20 * time.Second)
	if as[0].instance == as[1].instance {
		t.Errorf("both are still %q", as[0].instance)
	}
}

func TestTruncatedKnownAnswersAreAwaited(t *testing.T) {
	s := newSim(t, 1, 0)
	s.engines[0].announce(s.now, speaker("Kitchen"))
	s.run(10 * time.Second)
	q := dns.Question{Name: "_ostp._udp.local.", Qtype: dns.TypePTR, Qclass: dns.ClassINET}
	known := &dns.PTR{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypePTR, Class: dns.ClassINET, Ttl: 4000}, Ptr: "Kitchen._ostp._udp.local."}
	for _, rest := range []bool{true, false} {
		start := s.now
		first := &dns.Msg{MsgHdr: dns.MsgHdr{Truncated: true}, Question: []dns.Question{q}}
		data, _ := first.Pack()
		src := netip.AddrPortFrom(simAddr(1), port)
		s.engines[0].receive(s.now, packet{data: data, src: src, link: 2, group: true})
		s.run(100 * time.Millisecond)
		if rest {
			data, _ = (&dns.Msg{Answer: []dns.RR{known}}).Pack()
			s.engines[0].receive(s.now, packet{data: data, src: src, link: 2, group: true})
		}
		s.run(3 * time.Second)
		at, _ := s.messages(0, start, isAnswer)
		if rest && len(at) != 0 || !rest && (len(at) != 1 || at[0] < 400*time.Millisecond) {
			t.Errorf("rest sent: %v; answers at %v", rest, at)
		}
	}
}

func TestManyUpdatesAreOneASecond(t *testing.T) {
	s := newSim(t, 2, 0)
	a := s.engines[0].announce(s.now, speaker("Kitchen"))
	b := s.browse(1, "_ostp._udp")
	for i := range 50 { // while it probes
		s.engines[0].update(s.now, a, map[string]string{"title": fmt.Sprint(i)})
		s.run(100 * time.Millisecond)
	}
	if len(b.Entries()) != 1 {
		t.Fatal("changes while probing kept it from being announced")
	}
	start := s.now
	for i := range 100 {
		s.engines[0].update(s.now, a, map[string]string{"title": fmt.Sprint("song ", i)})
		s.run(100 * time.Millisecond)
	}
	s.run(3 * time.Second)
	if at, _ := s.messages(0, start, isAnswer); len(at) < 9 || len(at) > 16 {
		t.Errorf("%d announcements of 100 changes in 10 s", len(at))
	}
	if es := b.Entries(); len(es) != 1 || es[0].Text["title"] != "song 99" {
		t.Errorf("the last change was not seen: %+v", es)
	}
}

func TestSimultaneousProbesAreSettledBeforeAnnouncing(t *testing.T) {
	s := newSim(t, 2, 0)
	first, second := s.engines[0].announce(s.now, speaker("Kitchen")), s.engines[1].announce(s.now, speaker("Kitchen"))
	start := s.now
	s.run(10 * time.Second)
	// The same text, so the SRV records decide: "host1" is later than "host0".
	if first.instance != "Kitchen (2)" || second.instance != "Kitchen" {
		t.Errorf("names %q and %q", first.instance, second.instance)
	}
	_, told := s.messages(0, start, isAnswer)
	for _, m := range told {
		for _, rr := range m.Answer {
			if srv, ok := rr.(*dns.SRV); ok && firstLabel(srv.Hdr.Name) == "Kitchen" {
				t.Fatal("the loser announced the contested name")
			}
		}
	}
}

package discovery

import (
	"fmt"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// sim is engines on one link, in virtual time.
type sim struct {
	t       *testing.T
	now     time.Time
	engines []*engine
	queue   []delivery
	sent    []delivery          // all that was sent
	lose    func(from int) bool // whether a sender's packets are lost
}

type delivery struct {
	at   time.Time
	from int
	to   netip.AddrPort // zero: the group
	data []byte
}

func simAddr(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}) }

func newSim(t *testing.T, engines int, life time.Duration) *sim {
	s := &sim{t: t, now: time.Unix(1e9, 0)}
	for i := range engines {
		e := newEngine(fmt.Sprintf("host%d.local.", i), life, slog.New(slog.DiscardHandler), [2]uint64{1, uint64(i)}, func(o outgoing) {
			d := delivery{at: s.now, from: i, to: o.dst, data: o.data}
			s.sent = append(s.sent, d)
			if s.lose == nil || !s.lose(i) {
				s.queue = append(s.queue, d)
			}
		})
		info := linkInfo{index: 2, name: "eth0", addrs: []netip.Prefix{netip.PrefixFrom(simAddr(i), 24)}}
		info.usable[v4] = true
		e.setLinks(s.now, []linkInfo{info})
		s.engines = append(s.engines, e)
	}
	return s
}

// browse adds a browser whose events stay pending.
func (s *sim) browse(i int, types ...string) *Browser {
	b := newBrowser(nil, types)
	s.engines[i].addBrowser(s.now, b)
	return b
}

// run lets time pass.
func (s *sim) run(d time.Duration) {
	end, rounds := s.now.Add(d), 0
	for {
		if rounds++; rounds > 1000000 {
			panic("an engine wants to be called again and again at one instant")
		}
		next := end
		for _, e := range s.engines {
			if at := e.tick(s.now); at.Before(next) {
				next = at
			}
		}
		for len(s.queue) > 0 {
			d := s.queue[0]
			s.queue = s.queue[1:]
			for i, e := range s.engines {
				if !d.to.IsValid() || d.to.Addr() == simAddr(i) {
					e.receive(s.now, packet{data: d.data, src: netip.AddrPortFrom(simAddr(d.from), port), link: 2, group: !d.to.IsValid()})
					next = s.now
				}
			}
		}
		if !s.now.Before(end) {
			return
		}
		s.now = next
	}
}

// messages returns what an engine sent since a time, as offsets from it.
func (s *sim) messages(from int, since time.Time, keep func(*dns.Msg) bool) (at []time.Duration, msgs []*dns.Msg) {
	for _, d := range s.sent {
		if d.from != from || d.at.Before(since) {
			continue
		}
		msg := new(dns.Msg)
		if err := msg.Unpack(d.data); err != nil {
			s.t.Fatal(err)
		}
		if keep(msg) {
			at, msgs = append(at, d.at.Sub(since)), append(msgs, msg)
		}
	}
	return at, msgs
}

func isProbe(m *dns.Msg) bool  { return !m.Response && len(m.Ns) > 0 }
func isAnswer(m *dns.Msg) bool { return m.Response }

// asks tells whether a query has a question of a type.
func asks(t uint16) func(*dns.Msg) bool {
	return func(m *dns.Msg) bool {
		for _, q := range m.Question {
			if q.Qtype == t && !m.Response {
				return true
			}
		}
		return false
	}
}

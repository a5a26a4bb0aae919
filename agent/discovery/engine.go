package discovery

import (
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// port is the UDP port of mDNS.
const port = 5353

// The families, as indexes.
const (
	v4 = iota
	v6
)

// linkInfo is an interface that can be used.
type linkInfo struct {
	index  int
	name   string
	addrs  []netip.Prefix
	usable [2]bool // by family
}

// packet is a received message.
type packet struct {
	data  []byte
	src   netip.AddrPort
	link  int
	group bool // sent to the multicast group
}

// outgoing is a message to send on a link: to the group when dst is zero.
type outgoing struct {
	link   int
	family int
	dst    netip.AddrPort
	data   []byte
}

// link is an interface in use.
type link struct {
	linkInfo
	browse map[name]*schedule
	held   map[netip.AddrPort]*heldQuery
	asked  bucket // limits questions about incomplete instances
	ask    map[slot]dns.Question
}

// engine is the whole protocol without sockets, goroutines or a clock: time is an
// argument, and what is to be sent goes to send. Its owner calls receive, setLinks
// and the methods of announcements and browsers, each followed by tick.
type engine struct {
	host string
	life time.Duration // of all records; 0: the RFC's lives
	log  *slog.Logger
	rng  *rand.Rand
	send func(outgoing)

	links    map[int]*link
	ours     []*announcement
	goodbyes []goodbye
	unicast  bucket
	found    foundSet
	cache    cache
	browsers []*Browser
	wanted   map[name]string // browsed types
	stats    Stats
	wake     time.Time // the earliest deadline, while tick collects it
}

func newEngine(host string, life time.Duration, log *slog.Logger, seed [2]uint64, send func(outgoing)) *engine {
	return &engine{
		host: host, life: life, log: log, send: send,
		rng:    rand.New(rand.NewPCG(seed[0], seed[1])),
		links:  map[int]*link{},
		found:  newFoundSet(),
		cache:  cache{slots: map[slot][]*cached{}},
		wanted: map[name]string{},
	}
}

// between draws a duration.
func (e *engine) between(low, high time.Duration) time.Duration {
	return low + time.Duration(e.rng.Int64N(int64(high-low)+1))
}

// receive handles one packet.
func (e *engine) receive(now time.Time, p packet) {
	e.stats.Packets++
	l := e.links[p.link]
	if l == nil {
		return // a link that we do not use
	}
	local := l.onLink(p.src.Addr())
	if !local && !p.group {
		e.stats.Foreign++ // RFC 6762 section 11
		return
	}
	var msg dns.Msg
	if len(p.data) > maxPacket || msg.Unpack(p.data) != nil || msg.Opcode != dns.OpcodeQuery || msg.Rcode != dns.RcodeSuccess {
		e.stats.Malformed++
		return
	}
	switch {
	case msg.Response && p.src.Port() == port:
		e.checkConflicts(now, l, &msg)
		e.absorb(now, l, &msg, p.src.Addr())
	case msg.Response:
		e.stats.Malformed++ // section 6: not from port 5353
	case !local:
		e.stats.Foreign++ // never answer what another network asks
	default:
		e.query(now, l, &msg, p.src)
	}
}

// onLink tells whether an address is of the link's own networks.
func (l *link) onLink(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if a.IsLinkLocalUnicast() { // 169.254/16 too: a host without DHCP
		return true
	}
	return slices.ContainsFunc(l.addrs, func(p netip.Prefix) bool { return p.Masked().Contains(a) })
}

// family returns the family of an address.
func family(a netip.Addr) int {
	if a.Unmap().Is4() {
		return v4
	}
	return v6
}

// until notes a deadline for tick's result; zero is none.
func (e *engine) until(t time.Time) {
	if !t.IsZero() && (e.wake.IsZero() || t.Before(e.wake)) {
		e.wake = t
	}
}

// tick does what is due and returns when it must be called next.
func (e *engine) tick(now time.Time) time.Time {
	e.wake = now.Add(time.Minute)
	e.tickGoodbyes(now)
	for _, l := range e.links {
		e.tickHeld(now, l)
	}
	for _, a := range e.ours {
		e.tickAnnouncement(now, a)
	}
	for _, l := range e.links {
		e.tickAnswers(now, l)
	}
	e.tickCache(now)
	e.tickFound(now)
	for _, l := range e.links {
		e.tickBrowse(now, l)
		e.sendQuestions(now, l)
	}
	return e.wake
}

// linkGrace is how long instances of a link that went away are kept: a cable
// that comes back soon, or Wi-Fi that roams, removes nothing.
const linkGrace = 5 * time.Second

// setLinks tells which links there are now.
func (e *engine) setLinks(now time.Time, infos []linkInfo) {
	seen := map[int]bool{}
	for _, info := range infos {
		seen[info.index] = true
		l := e.links[info.index]
		switch {
		case l == nil:
			l = &link{linkInfo: info, browse: map[name]*schedule{}, held: map[netip.AddrPort]*heldQuery{}, ask: map[slot]dns.Question{}}
			e.links[info.index] = l
			e.log.Info("discovery: link in use", "link", info.name, "addresses", info.addrs)
			e.browseLink(now, l)
			e.cache.reconsider(now, info.index)
			for _, a := range e.ours {
				e.stand(now, a, l, probing)
			}
		case !slices.Equal(l.addrs, info.addrs) || l.usable != info.usable || l.name != info.name:
			l.linkInfo = info
			e.log.Info("discovery: link changed its addresses", "link", info.name, "addresses", info.addrs)
			e.browseLink(now, l)
			for _, a := range e.ours {
				e.restand(now, a, l)
			}
		}
	}
	for index, l := range e.links {
		if !seen[index] {
			e.dropLink(now, l)
		}
	}
}

// dropLink forgets a link, and in a while what was found on it.
func (e *engine) dropLink(now time.Time, l *link) {
	e.log.Info("discovery: link went away", "link", l.name)
	delete(e.links, l.index)
	for _, a := range e.ours {
		delete(a.standings, l.index)
	}
	e.cache.doom(l.index, now.Add(linkGrace))
}

// multicast sends a message on a link over the families that it has and that the
// mask names.
func (e *engine) multicast(l *link, msg *dns.Msg, mask [2]bool) {
	data, err := pack(msg)
	if err != nil {
		e.stats.Malformed++
		return
	}
	for f := range mask {
		if mask[f] && l.usable[f] {
			e.send(outgoing{link: l.index, family: f, data: data})
		}
	}
}

func pack(msg *dns.Msg) ([]byte, error) {
	msg.Compress = true
	return msg.Pack()
}

// chunks splits records so that each part fits into one message, with reserve
// bytes left for its header and questions.
func chunks(rrs []dns.RR, reserve int) [][]dns.RR {
	var out [][]dns.RR
	size := maxSend // begins a part at the first record
	for _, rr := range rrs {
		n := dns.Len(rr)
		if size += n; size > maxSend {
			out, size = append(out, nil), reserve+n
		}
		out[len(out)-1] = append(out[len(out)-1], rr)
	}
	return out
}

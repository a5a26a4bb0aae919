package discovery

import (
	"time"

	"github.com/miekg/dns"
)

// schedule is when a type is asked for next on a link.
type schedule struct {
	next time.Time
	step int
}

// The intervals between queries, RFC 6762 section 5.2.
const (
	firstInterval = time.Second
	lastInterval  = time.Hour
)

// browseLink starts the queries of all browsed types on a link from the beginning.
func (e *engine) browseLink(now time.Time, l *link) {
	clear(l.browse)
	first := now.Add(e.between(20*time.Millisecond, 120*time.Millisecond))
	for typ := range e.wanted {
		l.browse[typ] = &schedule{next: first}
	}
}

// want starts and ends browsing so that it fits the browsers.
func (e *engine) want(now time.Time) {
	wanted := map[name]string{}
	for _, b := range e.browsers {
		for _, t := range b.types {
			wanted[nameOf(t+".local.")] = t
		}
	}
	e.wanted = wanted
	first := now.Add(e.between(20*time.Millisecond, 120*time.Millisecond))
	for _, l := range e.links {
		for typ := range l.browse {
			if _, ok := wanted[typ]; !ok {
				delete(l.browse, typ)
			}
		}
		for typ := range wanted {
			if l.browse[typ] == nil {
				l.browse[typ] = &schedule{next: first}
			}
		}
	}
	for _, f := range e.found.all {
		if _, ok := wanted[f.ptr.name]; !ok {
			e.lose(f)
			e.cache.drop(f.ptr)
		}
	}
}

// tickBrowse asks for the types whose time has come.
func (e *engine) tickBrowse(now time.Time, l *link) {
	for typ, s := range l.browse {
		if !now.Before(s.next) {
			at := slot{l.index, typ, dns.TypePTR}
			l.ask[at] = dns.Question{Name: e.wanted[typ] + ".local.", Qtype: dns.TypePTR, Qclass: dns.ClassINET}
			s.next = now.Add(min(firstInterval<<min(s.step, 12), lastInterval))
			s.step++
		}
		e.until(s.next)
	}
}

// question notes a question about a record unless too many are asked already.
func (e *engine) question(now time.Time, l *link, at slot, owner string) bool {
	if _, there := l.ask[at]; there {
		return true
	}
	if !l.asked.take(now, maxAsk) {
		return false
	}
	l.ask[at] = dns.Question{Name: owner, Qtype: at.rtype, Qclass: dns.ClassINET}
	return true
}

// sendQuestions sends what has been noted on a link, with the PTR records that we
// know and that have more than half of their life left.
func (e *engine) sendQuestions(now time.Time, l *link) {
	if len(l.ask) == 0 {
		return
	}
	var questions []dns.Question
	var known []dns.RR
	size := 0
	flushOut := func() {
		e.sendQuery(l, questions, known)
		questions, known, size = nil, nil, 0
	}
	for at, q := range l.ask {
		if size += len(q.Name) + 6; size > maxSend/2 && len(questions) > 0 {
			flushOut()
			size = len(q.Name) + 6
		}
		questions = append(questions, q)
		if at.rtype == dns.TypePTR {
			known = append(known, e.cache.known(now, at)...)
		}
	}
	flushOut()
	clear(l.ask)
}

// known returns a slot's records as known answers.
func (c *cache) known(now time.Time, at slot) []dns.RR {
	var out []dns.RR
	for _, r := range c.slots[at] {
		if left := r.expires.Sub(now); left > r.life/2 {
			rr := dns.Copy(r.rr)
			rr.Header().Class &^= flush
			rr.Header().Ttl = uint32(left / time.Second)
			out = append(out, rr)
		}
	}
	return out
}

// sendQuery sends questions with known answers, in truncated messages when those
// do not fit into one, RFC 6762 section 7.2.
func (e *engine) sendQuery(l *link, questions []dns.Question, known []dns.RR) {
	parts := chunks(known, maxSend/2+100)
	if len(parts) == 0 {
		parts = append(parts, nil)
	}
	for i, part := range parts {
		msg := &dns.Msg{MsgHdr: dns.MsgHdr{Truncated: i < len(parts)-1}, Question: questions, Answer: part}
		e.multicast(l, msg, [2]bool{true, true})
		questions = nil
	}
}

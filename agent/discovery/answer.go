package discovery

import (
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// heldQuery is a truncated query that waits for the rest of its known answers,
// RFC 6762 section 7.2.
type heldQuery struct {
	msg *dns.Msg
	due time.Time
}

// Legacy answers live shortly, section 6.7.
const legacyLife = 10

// query handles a query from the link itself.
func (e *engine) query(now time.Time, l *link, msg *dns.Msg, src netip.AddrPort) {
	if len(msg.Question) > maxQuestions {
		msg.Question = msg.Question[:maxQuestions]
	}
	if len(msg.Ns) > 0 {
		e.checkProbe(now, l, msg)
	}
	held := l.held[src]
	switch {
	case held != nil:
		if len(held.msg.Answer) < maxFound {
			held.msg.Answer = append(held.msg.Answer, msg.Answer...)
		}
		held.msg.Question = append(held.msg.Question, msg.Question...)
		if len(held.msg.Question) > maxQuestions {
			held.msg.Question = held.msg.Question[:maxQuestions]
		}
	case msg.Truncated && src.Port() == port && len(l.held) < maxHeld:
		l.held[src] = &heldQuery{msg: msg, due: now.Add(e.between(400*time.Millisecond, 500*time.Millisecond))}
	default:
		e.answer(now, l, msg, src)
	}
}

// tickHeld answers truncated queries whose rest has had its time.
func (e *engine) tickHeld(now time.Time, l *link) {
	for src, h := range l.held {
		if now.Before(h.due) {
			e.until(h.due)
			continue
		}
		delete(l.held, src)
		e.answer(now, l, h.msg, src)
	}
}

// answer plans the answers to a query, or sends those that go by unicast.
func (e *engine) answer(now time.Time, l *link, msg *dns.Msg, src netip.AddrPort) {
	legacy, probe, f := src.Port() != port, len(msg.Ns) > 0, family(src.Addr())
	known := knownAnswers(msg)
	var group, direct []*record
	shared := len(msg.Question) > 1 && !probe
	for _, q := range msg.Question {
		for _, r := range e.matching(l, q) {
			switch {
			case known.has(r):
			case legacy, q.Qclass&flush != 0 && r.fresh(now, f):
				direct = append(direct, r)
			default:
				group = append(group, r)
				shared = shared || !r.unique
			}
		}
	}
	if len(direct) > 0 {
		e.answerDirect(now, l, msg, src, direct, legacy)
	}
	e.plan(now, f, group, shared, probe)
}

// plan has records multicast: shared ones after a random wait, and none within a
// second of its last time (a quarter when a probe is answered).
func (e *engine) plan(now time.Time, f int, group []*record, shared, probe bool) {
	if len(group) == 0 {
		return
	}
	due, rest := now, time.Second
	if shared {
		due = now.Add(e.between(20*time.Millisecond, 120*time.Millisecond))
	}
	if probe {
		rest = 250 * time.Millisecond
	}
	for _, r := range group {
		at := due
		if earliest := r.sent[f].Add(rest); !r.sent[f].IsZero() && at.Before(earliest) {
			at = earliest
		}
		if r.due[f].IsZero() || at.Before(r.due[f]) {
			r.due[f] = at
		}
	}
}

// fresh tells whether the record was multicast within a quarter of its life, so
// that a wish for unicast may be granted, section 5.4.
func (r *record) fresh(now time.Time, f int) bool {
	return !r.sent[f].IsZero() && now.Sub(r.sent[f]) < time.Duration(r.life())*time.Second/4
}

// answerID identifies a record in a list of known answers.
type answerID struct {
	name  name
	rtype uint16
	data  string
}

// answers maps records to their remaining lives in seconds.
type answers map[answerID]uint32

func knownAnswers(msg *dns.Msg) answers {
	if len(msg.Answer) == 0 {
		return nil
	}
	known := make(answers, len(msg.Answer))
	for _, rr := range msg.Answer {
		h := rr.Header()
		known[answerID{nameOf(h.Name), h.Rrtype, rdata(rr)}] = h.Ttl
	}
	return known
}

// has tells whether a record is known with half of its life or more left.
func (k answers) has(r *record) bool {
	left, ok := k[answerID{r.name, r.rr.Header().Rrtype, r.data}]
	return ok && left >= (r.life()+1)/2
}

// matching returns our records that answer a question on a link. A name of ours
// without the type in question is answered with its NSEC record.
func (e *engine) matching(l *link, q dns.Question) []*record {
	if class := q.Qclass &^ flush; class != dns.ClassINET && class != dns.ClassANY {
		return nil
	}
	asked := nameOf(q.Name)
	var out, denial []*record
	for _, a := range e.ours {
		s := a.standings[l.index]
		if s == nil || s.stage == probing {
			continue
		}
		for _, r := range s.records {
			switch t := r.rr.Header().Rrtype; {
			case r.name != asked:
			case t == q.Qtype || q.Qtype == dns.TypeANY && t != dns.TypeNSEC:
				out = append(out, r)
			case t == dns.TypeNSEC:
				denial = append(denial, r)
			}
		}
	}
	if len(out) == 0 {
		return denial
	}
	return out
}

// answerDirect sends a unicast answer, to a resolver that is not mDNS's when
// legacy.
func (e *engine) answerDirect(now time.Time, l *link, query *dns.Msg, src netip.AddrPort, records []*record, legacy bool) {
	if !e.unicast.take(now, unicastRate) {
		e.stats.Throttled++
		return
	}
	convert := func(r *record) dns.RR {
		if !legacy {
			return r.wire(r.life())
		}
		rr := dns.Copy(r.rr)
		rr.Header().Ttl = min(legacyLife, r.life())
		return rr
	}
	msg := answerMessage(records, convert)
	if legacy {
		msg.Id, msg.Question = query.Id, query.Question
		for i := range msg.Question {
			msg.Question[i].Qclass &^= flush
		}
	}
	if data, err := pack(msg); err == nil {
		e.send(outgoing{link: l.index, family: family(src.Addr()), dst: src, data: data})
	}
}

// answerMessage makes a response of records and, as room allows, of what goes
// along with them.
func answerMessage(records []*record, convert func(*record) dns.RR) *dns.Msg {
	msg := &dns.Msg{MsgHdr: dns.MsgHdr{Response: true, Authoritative: true}}
	in, size := map[answerID]bool{}, 100
	add := func(section *[]dns.RR, r *record) {
		id := answerID{r.name, r.rr.Header().Rrtype, r.data}
		if in[id] {
			return
		}
		rr := convert(r)
		if size += dns.Len(rr); size > maxSend && len(msg.Answer) > 0 {
			return
		}
		in[id] = true
		*section = append(*section, rr)
	}
	for _, r := range records {
		add(&msg.Answer, r)
	}
	for _, r := range records {
		for _, x := range r.extra {
			add(&msg.Extra, x)
		}
	}
	return msg
}

// tickAnswers multicasts what is due on a link.
func (e *engine) tickAnswers(now time.Time, l *link) {
	for f := range l.usable {
		var due []*record
		for _, a := range e.ours {
			s := a.standings[l.index]
			if s == nil {
				continue
			}
			for _, r := range s.records {
				switch {
				case r.due[f].IsZero():
				case now.Before(r.due[f]):
					e.until(r.due[f])
				default:
					due = append(due, r)
				}
			}
		}
		e.respond(now, l, f, due)
	}
}

// respond multicasts records over one family, in as many messages as they need.
func (e *engine) respond(now time.Time, l *link, f int, records []*record) {
	for len(records) > 0 {
		part, size := 0, 100
		for part < len(records) && (part == 0 || size+dns.Len(records[part].rr) <= maxSend) {
			size += dns.Len(records[part].rr)
			part++
		}
		msg := answerMessage(records[:part], func(r *record) dns.RR { return r.wire(r.life()) })
		for _, r := range records[:part] {
			r.sent[f], r.due[f] = now, time.Time{}
		}
		var mask [2]bool
		mask[f] = true
		e.multicast(l, msg, mask)
		records = records[part:]
	}
}

package discovery

import (
	"slices"
	"time"

	"github.com/miekg/dns"
)

// goodbye is a withdrawal that is sent once more.
type goodbye struct {
	link int
	at   time.Time
	rrs  []dns.RR
}

// withdraw ends an announcement: what nobody else may have is withdrawn at once,
// and once more for those who missed it.
func (e *engine) withdraw(now time.Time, a *announcement) {
	at := slices.Index(e.ours, a)
	if at < 0 {
		return
	}
	e.ours = slices.Delete(e.ours, at, at+1)
	for index, s := range a.standings {
		if s.stage == probing {
			continue
		}
		g := goodbye{link: index, at: now.Add(goodbyeRepeat)}
		for _, r := range s.records {
			if !r.lasts {
				g.rrs = append(g.rrs, r.wire(0))
			}
		}
		e.sendGoodbye(g)
		e.goodbyes = append(e.goodbyes, g)
	}
}

// sendGoodbye multicasts a withdrawal.
func (e *engine) sendGoodbye(g goodbye) {
	l := e.links[g.link]
	if l == nil {
		return
	}
	for _, part := range chunks(g.rrs, 100) {
		e.multicast(l, &dns.Msg{MsgHdr: dns.MsgHdr{Response: true, Authoritative: true}, Answer: part}, [2]bool{true, true})
	}
}

// tickGoodbyes repeats withdrawals, unless the name is in use again.
func (e *engine) tickGoodbyes(now time.Time) {
	e.goodbyes = slices.DeleteFunc(e.goodbyes, func(g goodbye) bool {
		if now.Before(g.at) {
			e.until(g.at)
			return false
		}
		if len(e.ours) == 0 || !e.usesAgain(g) {
			e.sendGoodbye(g)
		}
		return true
	})
}

// usesAgain tells whether a withdrawn name has been announced anew.
func (e *engine) usesAgain(g goodbye) bool {
	for _, a := range e.ours {
		if s := a.standings[g.link]; s != nil && slices.ContainsFunc(s.records, func(r *record) bool {
			return slices.ContainsFunc(g.rrs, func(rr dns.RR) bool { return nameOf(rr.Header().Name) == r.name && r.unique })
		}) {
			return true
		}
	}
	return false
}

package discovery

import (
	"bytes"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// stage is how far an announcement is on a link.
type stage int

const (
	probing    stage = iota // asking whether the name is free
	announcing              // telling it twice
	settled
)

// The pace of RFC 6762 section 8.
const (
	probes        = 3
	probeInterval = 250 * time.Millisecond
	announcements = 2
	announceEvery = time.Second
	deferProbe    = time.Second // after a lost tie
	goodbyeRepeat = 250 * time.Millisecond
)

// standing is an announcement on one link.
type standing struct {
	stage   stage
	count   int // probes or announcements sent
	next    time.Time
	told    time.Time // when it was announced last
	records []*record
}

// announcement is one of our services.
type announcement struct {
	service   Service
	number    int    // 1 or more: the number in the instance's name
	instance  string // the name in use
	standings map[int]*standing
	conflicts int // in the window that began at window
	window    time.Time
}

// announce begins to announce a service.
func (e *engine) announce(now time.Time, s Service) *announcement {
	a := &announcement{service: s, number: 1, instance: s.Instance, standings: map[int]*standing{}}
	e.ours = append(e.ours, a)
	for _, l := range e.links {
		e.stand(now, a, l, probing)
	}
	return a
}

// stand puts an announcement at the beginning of a stage on a link.
func (e *engine) stand(now time.Time, a *announcement, l *link, at stage) {
	records, err := makeRecords(a.service, a.instance, e.host, l.addrs, e.life)
	if err != nil {
		e.log.Error("discovery: cannot announce on a link", "link", l.name, "error", err)
		return
	}
	next := now
	if at == probing {
		next = now.Add(e.between(0, probeInterval))
	}
	a.standings[l.index] = &standing{stage: at, next: next, records: records}
}

// restand announces changed records, at most once a second; while probing it only
// exchanges them.
func (e *engine) restand(now time.Time, a *announcement, l *link) {
	was := a.standings[l.index]
	at := announcing
	if was == nil || was.stage == probing {
		at = probing
	}
	e.stand(now, a, l, at)
	s := a.standings[l.index]
	switch {
	case was == nil || s == was || s == nil:
	case at == probing:
		s.count, s.next = was.count, was.next
	default:
		s.told = was.told
		if earliest := was.told.Add(announceEvery); s.next.Before(earliest) {
			s.next = earliest
		}
	}
}

// update changes the announced text.
func (e *engine) update(now time.Time, a *announcement, text map[string]string) {
	a.service.Text = text
	for _, l := range e.links {
		e.restand(now, a, l)
	}
}

// tickAnnouncement probes and announces what is due.
func (e *engine) tickAnnouncement(now time.Time, a *announcement) {
	for index, s := range a.standings {
		l := e.links[index]
		for s.stage != settled && !now.Before(s.next) {
			e.step(now, a, l, s)
		}
		if s.stage != settled {
			e.until(s.next)
		}
	}
}

// step sends one probe or announcement.
func (e *engine) step(now time.Time, a *announcement, l *link, s *standing) {
	if s.stage == probing && s.count < probes {
		e.multicast(l, probeMessage(s), [2]bool{true, true})
		s.count, s.next = s.count+1, now.Add(probeInterval)
		return
	}
	if s.stage == probing {
		s.stage, s.count = announcing, 0
		e.log.Info("discovery: announced", "instance", a.instance, "types", a.service.types(), "link", l.name)
	}
	s.told = now
	for f := range l.usable {
		e.respond(now, l, f, s.records)
	}
	if s.count, s.next = s.count+1, now.Add(announceEvery); s.count == announcements {
		s.stage = settled
	}
}

// probeMessage asks for any record of our names and proposes ours. It asks for
// multicast answers: the package comment says why.
func probeMessage(s *standing) *dns.Msg {
	msg := &dns.Msg{}
	asked := map[name]bool{}
	for _, r := range s.records {
		switch r.rr.(type) {
		case *dns.SRV, *dns.TXT:
			msg.Ns = append(msg.Ns, dns.Copy(r.rr))
			if !asked[r.name] {
				asked[r.name] = true
				msg.Question = append(msg.Question, dns.Question{Name: r.rr.Header().Name, Qtype: dns.TypeANY, Qclass: dns.ClassINET})
			}
		}
	}
	return msg
}

// checkConflicts looks for our names with another host's SRV record. Ours names a
// host that no other program has, so a different one is a conflict.
func (e *engine) checkConflicts(now time.Time, l *link, msg *dns.Msg) {
	for _, rr := range slices.Concat(msg.Answer, msg.Extra) {
		if srv, ok := rr.(*dns.SRV); ok && srv.Hdr.Ttl > 0 {
			for _, a := range e.ours {
				if s := a.standings[l.index]; s != nil && s.contradicts(srv) {
					e.conflict(now, a, l, s)
				}
			}
		}
	}
}

// contradicts tells whether a record has a name of ours with other data.
func (s *standing) contradicts(srv *dns.SRV) bool {
	owner := nameOf(srv.Hdr.Name)
	for _, r := range s.records {
		if r.rr.Header().Rrtype == dns.TypeSRV && r.name == owner {
			return r.data != rdata(srv)
		}
	}
	return false
}

// conflict handles a name that another host has, RFC 6762 section 9: an announced
// name is probed again, a probed one is changed.
func (e *engine) conflict(now time.Time, a *announcement, l *link, s *standing) {
	if s.stage == probing && s.count == 0 {
		return // not asked yet: the answer was for others, or for the name before
	}
	e.stats.Conflicts++
	wait := a.penalty(now)
	if s.stage != probing {
		s.stage, s.count, s.next = probing, 0, now.Add(wait)
		return
	}
	a.number++
	was := a.instance
	a.instance = renamed(a.service.Instance, a.number)
	e.log.Warn("discovery: another device on the network has this name; using a new one",
		"name", was, "new", a.instance, "link", l.name)
	for _, other := range e.links {
		e.stand(now, a, other, probing)
		if s := a.standings[other.index]; s != nil {
			s.next = s.next.Add(wait)
		}
	}
}

// penalty counts a conflict and returns how long to wait before probing again:
// something is wrong when there are many, section 8.1.
func (a *announcement) penalty(now time.Time) time.Duration {
	if now.Sub(a.window) > conflictWindow {
		a.window, a.conflicts = now, 0
	}
	if a.conflicts++; a.conflicts >= conflictLimit {
		return conflictPenalty
	}
	return 0
}

// checkProbe settles simultaneous probes, section 8.2: whose records are later in
// the order of class, type and data keeps the name, the other waits a second.
func (e *engine) checkProbe(now time.Time, l *link, msg *dns.Msg) {
	for _, a := range e.ours {
		s := a.standings[l.index]
		if s == nil || s.stage != probing || s.count == 0 {
			continue
		}
		for _, q := range msg.Question {
			ours, theirs := s.proposal(nameOf(q.Name)), proposal(msg.Ns, nameOf(q.Name))
			if len(ours) == 0 || len(theirs) == 0 {
				continue
			}
			if slices.CompareFunc(ours, theirs, bytes.Compare) < 0 {
				e.stats.Conflicts++
				s.count, s.next = 0, now.Add(deferProbe)
				break
			}
		}
	}
}

// proposal returns the records we probe a name with, in the order of section 8.2.
func (s *standing) proposal(owner name) [][]byte {
	var rrs []dns.RR
	for _, r := range s.records {
		if t := r.rr.Header().Rrtype; t == dns.TypeSRV || t == dns.TypeTXT {
			rrs = append(rrs, r.rr)
		}
	}
	return proposal(rrs, owner)
}

func proposal(rrs []dns.RR, owner name) [][]byte {
	var out [][]byte
	for _, rr := range rrs[:min(len(rrs), maxQuestions)] {
		h := rr.Header()
		if nameOf(h.Name) != owner {
			continue
		}
		class := h.Class &^ flush
		head := []byte{byte(class >> 8), byte(class), byte(h.Rrtype >> 8), byte(h.Rrtype)}
		out = append(out, append(head, rdata(rr)...))
	}
	slices.SortFunc(out, bytes.Compare)
	return out
}

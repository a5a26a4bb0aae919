package discovery

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// place is a name on a link.
type place struct {
	link int
	name name
}

// found is an instance that a PTR record named.
type found struct {
	place
	full     string // its name in presentation form
	instance string
	typ      string
	ptr      slot       // where the PTR record is
	src      netip.Addr // who named it first
	host     name       // its SRV record's target; "": none
	tries    int        // how often missing records were asked for
	retry    time.Time  // when they are asked for next; zero: nothing is missing
	doubted  time.Time  // when it last was
	entry    *Entry     // as last told to browsers; nil: not complete
}

// foundSet is all of them, with indexes by host and by sender.
type foundSet struct {
	all      map[place]*found
	byHost   map[place]map[*found]bool
	bySource map[netip.Addr]int
	next     time.Time // when something is to be asked for
}

func newFoundSet() foundSet {
	return foundSet{all: map[place]*found{}, byHost: map[place]map[*found]bool{}, bySource: map[netip.Addr]int{}}
}

// setHost changes an instance's host in the index.
func (s *foundSet) setHost(f *found, host name) {
	if f.host == host {
		return
	}
	if f.host != "" {
		at := place{f.link, f.host}
		if delete(s.byHost[at], f); len(s.byHost[at]) == 0 {
			delete(s.byHost, at)
		}
	}
	if f.host = host; host != "" {
		at := place{f.link, host}
		if s.byHost[at] == nil {
			s.byHost[at] = map[*found]bool{}
		}
		s.byHost[at][f] = true
	}
}

// soon brings the next question forward.
func (s *foundSet) soon(t time.Time) {
	if !t.IsZero() && (s.next.IsZero() || t.Before(s.next)) {
		s.next = t
	}
}

// absorb takes in what a response says about browsed types: first which
// instances there are, then where, then the hosts' addresses.
func (e *engine) absorb(now time.Time, l *link, msg *dns.Msg, src netip.Addr) {
	records := slices.Concat(msg.Answer, msg.Extra)
	touched := map[*found]bool{}
	for _, rr := range records {
		if ptr, ok := rr.(*dns.PTR); ok && usableClass(rr) {
			e.absorbPTR(now, l, ptr, src, touched)
		}
	}
	for _, rr := range records {
		switch rr.(type) {
		case *dns.SRV, *dns.TXT:
			f := e.found.all[place{l.index, nameOf(rr.Header().Name)}]
			if f != nil && usableClass(rr) {
				e.put(now, slot{l.index, f.name, rr.Header().Rrtype}, rr, src, 2)
				touched[f] = true // if only for Seen and Expires
				e.rehost(f)
			}
		}
	}
	for _, rr := range records {
		at := place{l.index, nameOf(rr.Header().Name)}
		if fs := e.found.byHost[at]; len(fs) > 0 && usableClass(rr) && usableAddr(rr) {
			if e.put(now, slot{l.index, at.name, rr.Header().Rrtype}, rr, src, maxPerName) {
				maps.Copy(touched, fs)
			}
		}
	}
	for f := range touched {
		e.evaluate(now, f)
	}
}

func usableClass(rr dns.RR) bool { return rr.Header().Class&^flush == dns.ClassINET }

// usableAddr tells whether a record is the address of a host.
func usableAddr(rr dns.RR) bool {
	a, ok := addrOf(rr)
	return ok && !a.IsUnspecified() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// addrOf returns the address in an A or AAAA record.
func addrOf(rr dns.RR) (netip.Addr, bool) {
	switch rr := rr.(type) {
	case *dns.A:
		a, ok := netip.AddrFromSlice(rr.A)
		return a.Unmap(), ok
	case *dns.AAAA:
		a, ok := netip.AddrFromSlice(rr.AAAA)
		return a, ok && !a.Is4In6()
	}
	return netip.Addr{}, false
}

// put caches a record, counts it when there is no room, and tells whether the
// slot's records changed.
func (e *engine) put(now time.Time, at slot, rr dns.RR, src netip.Addr, most int) bool {
	changed, kept := e.cache.put(now, at, rr, src, most, e.rng.Float64())
	if !kept {
		e.stats.Dropped++
	}
	return changed
}

// absorbPTR notes an instance of a browsed type.
func (e *engine) absorbPTR(now time.Time, l *link, ptr *dns.PTR, src netip.Addr, touched map[*found]bool) {
	owner := nameOf(ptr.Hdr.Name)
	typ, browsed := e.wanted[owner]
	target := nameOf(ptr.Ptr)
	if !browsed || len(target) == 0 || len(target) != int(target[0])+1+len(owner) || target[len(target)-len(owner):] != owner {
		return // of no interest, or not an instance of its type
	}
	at := slot{l.index, owner, dns.TypePTR}
	f := e.found.all[place{l.index, target}]
	if f == nil && ptr.Hdr.Ttl > 0 {
		if len(e.found.all) >= maxFound || e.found.bySource[src] >= maxFoundSource {
			e.stats.Dropped++
			return
		}
		f = &found{place: place{l.index, target}, full: ptr.Ptr, instance: firstLabel(ptr.Ptr), typ: typ, ptr: at, src: src}
	}
	_, kept := e.cache.put(now, at, ptr, src, maxFound, e.rng.Float64())
	switch {
	case !kept:
		e.stats.Dropped++
	case f != nil && e.found.all[f.place] == nil:
		e.found.all[f.place] = f
		e.found.bySource[src]++
		touched[f] = true
	}
}

// rehost reads the instance's host from its SRV record, and forgets the records
// of a host that no instance has any more.
func (e *engine) rehost(f *found) {
	host, was := name(""), f.host
	if r := e.cache.latest(slot{f.link, f.name, dns.TypeSRV}); r != nil {
		host = nameOf(r.rr.(*dns.SRV).Target)
	}
	if e.found.setHost(f, host); was != host {
		e.dropHost(place{f.link, was})
	}
}

// dropHost forgets the addresses of a host that no instance has.
func (e *engine) dropHost(at place) {
	if len(e.found.byHost[at]) == 0 {
		e.cache.drop(slot{at.link, at.name, dns.TypeA})
		e.cache.drop(slot{at.link, at.name, dns.TypeAAAA})
	}
}

// lose forgets an instance and all of its records.
func (e *engine) lose(f *found) {
	e.tell(f, nil)
	host := place{f.link, f.host}
	e.found.setHost(f, "")
	e.dropHost(host)
	delete(e.found.all, f.place)
	if e.found.bySource[f.src]--; e.found.bySource[f.src] <= 0 {
		delete(e.found.bySource, f.src)
	}
	e.cache.drop(slot{f.link, f.name, dns.TypeTXT})
	e.cache.drop(slot{f.link, f.name, dns.TypeSRV})
}

// tickCache expires and refreshes records.
func (e *engine) tickCache(now time.Time) {
	lost := e.cache.sweep(now, e.rng.Float64, func(at slot, r *cached) bool {
		l := e.links[at.link]
		return l == nil || e.question(now, l, at, r.rr.Header().Name)
	})
	e.until(e.cache.next)
	if len(lost) == 0 {
		return
	}
	gone := map[slot]bool{}
	for _, at := range lost {
		gone[at] = true
	}
	for _, f := range e.found.all {
		switch {
		case gone[f.ptr] && !e.named(f):
			e.lose(f)
		case gone[slot{f.link, f.name, dns.TypeSRV}]:
			e.rehost(f)
			e.evaluate(now, f)
		case gone[slot{f.link, f.name, dns.TypeTXT}], gone[slot{f.link, f.host, dns.TypeA}], gone[slot{f.link, f.host, dns.TypeAAAA}]:
			e.evaluate(now, f)
		}
	}
}

// named tells whether a PTR record still names the instance.
func (e *engine) named(f *found) bool {
	return slices.ContainsFunc(e.cache.slots[f.ptr], func(r *cached) bool { return name(r.data) == f.name })
}

// tickFound asks for what instances miss: after 50 ms (the rest may be on its
// way), then at doubling intervals from 1 s to a minute.
func (e *engine) tickFound(now time.Time) {
	if !e.found.next.IsZero() && !now.Before(e.found.next) {
		e.found.next = time.Time{}
		for _, f := range e.found.all {
			if !f.retry.IsZero() && !now.Before(f.retry) {
				e.askMissing(now, f)
			}
			e.found.soon(f.retry)
		}
	}
	e.until(e.found.next)
}

// askMissing asks for the records an instance lacks; for an IPv4 address a few times
// also when it has been found by an IPv6 one.
func (e *engine) askMissing(now time.Time, f *found) {
	f.retry = now.Add(min(time.Second<<min(f.tries, 6), time.Minute))
	if f.tries++; f.entry != nil && f.tries >= maxTriesIPv4 {
		f.retry = time.Time{}
	}
	l := e.links[f.link]
	if l == nil {
		return
	}
	srv := e.cache.latest(slot{f.link, f.name, dns.TypeSRV})
	if srv == nil {
		e.question(now, l, slot{f.link, f.name, dns.TypeSRV}, f.full)
	}
	if e.cache.latest(slot{f.link, f.name, dns.TypeTXT}) == nil {
		e.question(now, l, slot{f.link, f.name, dns.TypeTXT}, f.full)
	}
	if srv == nil {
		return
	}
	target := srv.rr.(*dns.SRV).Target
	e.question(now, l, slot{f.link, f.host, dns.TypeA}, target)
	if f.entry == nil {
		e.question(now, l, slot{f.link, f.host, dns.TypeAAAA}, target)
	}
}

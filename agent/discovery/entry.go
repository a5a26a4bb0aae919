package discovery

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// maxTriesIPv4 is how often a host that told an IPv6 address only is asked for the
// other. avahi puts A records into its IPv4 packets alone, and such a packet may come
// later than the IPv6 one, or be lost.
const maxTriesIPv4 = 3

// evaluate makes the instance's entry anew and tells browsers what changed.
func (e *engine) evaluate(now time.Time, f *found) {
	entry := e.makeEntry(f)
	switch {
	case entry != nil && e.cache.latest(slot{f.link, f.host, dns.TypeA}) != nil:
		f.retry, f.tries = time.Time{}, 0
	case f.retry.IsZero() && (entry == nil || f.tries < maxTriesIPv4):
		f.retry = now.Add(50 * time.Millisecond)
		e.found.soon(f.retry)
	}
	e.tell(f, entry)
}

// makeEntry returns the instance's entry, or nil while something is missing.
func (e *engine) makeEntry(f *found) *Entry {
	srv := e.cache.latest(slot{f.link, f.name, dns.TypeSRV})
	txt := e.cache.latest(slot{f.link, f.name, dns.TypeTXT})
	l := e.links[f.link]
	if srv == nil || txt == nil {
		return nil
	}
	if l == nil { // in its grace: as it was
		return f.entry
	}
	target := srv.rr.(*dns.SRV)
	entry := &Entry{
		Instance: f.instance, Type: f.typ, Host: target.Target,
		Text:      decodeText(txt.rr.(*dns.TXT).Txt),
		Interface: l.name, Index: l.index,
		Seen: srv.born, Expires: srv.expires,
	}
	if entry.Addrs = e.addrsOf(f, l, target.Port); len(entry.Addrs) == 0 {
		return nil
	}
	return entry
}

// addrsOf returns the addresses of the instance's host, best first.
func (e *engine) addrsOf(f *found, l *link, port uint16) (out []netip.AddrPort) {
	for _, t := range []uint16{dns.TypeA, dns.TypeAAAA} {
		for _, r := range e.cache.slots[slot{f.link, f.host, t}] {
			if a, ok := addrOf(r.rr); ok {
				if a.Is6() && a.IsLinkLocalUnicast() {
					a = a.WithZone(l.name)
				}
				out = append(out, netip.AddrPortFrom(a, port))
			}
		}
	}
	slices.SortFunc(out, func(a, b netip.AddrPort) int {
		if d := rank(l, a.Addr()) - rank(l, b.Addr()); d != 0 {
			return d
		}
		return a.Compare(b)
	})
	return out
}

// rank orders addresses, best first.
func rank(l *link, a netip.Addr) int {
	switch {
	case a.Is4() && !a.IsLinkLocalUnicast() && l.onLink(a):
		return 0
	case a.Is6() && !a.IsLinkLocalUnicast() && l.onLink(a):
		return 1
	case a.IsLinkLocalUnicast():
		return 2
	}
	return 3
}

// tell notes an instance's new entry, nil when it has none any more, and passes
// the change on to the browsers of its type.
func (e *engine) tell(f *found, entry *Entry) {
	was := f.entry
	f.entry = entry
	event := Event{Kind: Updated}
	switch {
	case was == nil && entry == nil:
		return
	case was == nil:
		event.Kind, event.Entry = Added, *entry
	case entry == nil:
		event.Kind, event.Entry = Removed, *was
	case same(was, entry):
		for _, b := range e.browsers {
			b.refresh(f.place, *entry)
		}
		return
	default:
		event.Entry = *entry
	}
	for _, b := range e.browsers {
		b.note(f.place, event)
	}
}

// same compares what an Updated event is for.
func same(a, b *Entry) bool {
	return a.Host == b.Host && slices.Equal(a.Addrs, b.Addrs) && maps.Equal(a.Text, b.Text) && a.Interface == b.Interface
}

// clone returns a copy that its holder may change.
func (e Entry) clone() Entry {
	e.Addrs, e.Text = slices.Clone(e.Addrs), maps.Clone(e.Text)
	return e
}

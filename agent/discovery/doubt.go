package discovery

import (
	"time"

	"github.com/miekg/dns"
)

// doubtFor is how long a record has to be confirmed that is in doubt.
const doubtFor = 3 * time.Second

// Doubt says that an instance does not seem to be where it was found: it is asked for
// again, and forgotten if nobody answers. RFC 6762 section 10.4. An instance in doubt
// stays as it is meanwhile.
func (n *Node) Doubt(instance string) {
	n.do(func(e *engine) { e.doubt(n.now(), instance) })
}

// doubt has all that is known of an instance end soon, and begins to look again for
// its type, too: it may be another that is there now.
func (e *engine) doubt(now time.Time, instance string) {
	for _, f := range e.found.all {
		l := e.links[f.link]
		if f.instance != instance || l == nil || now.Sub(f.doubted) < doubtFor {
			continue
		}
		f.doubted = now
		for _, r := range e.cache.slots[f.ptr] {
			if name(r.data) == f.name {
				e.cache.end(r, now.Add(doubtFor))
			}
		}
		for _, rtype := range []uint16{dns.TypeSRV, dns.TypeTXT} {
			at := slot{f.link, f.name, rtype}
			for _, r := range e.cache.slots[at] {
				e.cache.end(r, now.Add(doubtFor))
			}
			e.question(now, l, at, f.full)
		}
		if s := l.browse[f.ptr.name]; s != nil {
			s.next, s.step = now, 0
		}
	}
}

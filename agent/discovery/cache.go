package discovery

import (
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// slot is a place in the cache: a name's records of one type on one link.
type slot struct {
	link  int
	name  name
	rtype uint16
}

// cached is a record of another host.
type cached struct {
	rr      dns.RR
	data    string
	src     netip.Addr
	born    time.Time // when it was last heard
	life    time.Duration
	expires time.Time
	ask     time.Time // when it is to be refreshed; zero: not again
	asked   int       // how often that was done
}

// refreshes is how often a record is asked for before it expires: at 80, 85, 90
// and 95 % of its life, RFC 6762 section 5.2.
const refreshes = 4

// grace is how long a withdrawn or replaced record stays, section 10.
const grace = time.Second

// cache keeps records. It is bounded by maxRecords.
type cache struct {
	slots map[slot][]*cached
	size  int
	next  time.Time // when sweep has something to do; zero: nothing
}

// put takes a record in; most is how many its slot holds. changed tells that the
// slot has a record it did not have, kept that the record is in the slot.
func (c *cache) put(now time.Time, at slot, rr dns.RR, src netip.Addr, most int, spread float64) (changed, kept bool) {
	data, h := rdata(rr), rr.Header()
	if data == "" {
		return false, false
	}
	if h.Class&flush != 0 {
		c.outdate(now, at, data)
	}
	for _, r := range c.slots[at] {
		if r.data == data {
			c.renew(now, r, h.Ttl, src, spread)
			return false, true
		}
	}
	if h.Ttl == 0 || len(c.slots[at]) >= most || c.size >= maxRecords {
		return false, h.Ttl == 0
	}
	r := &cached{rr: rr, data: data}
	c.renew(now, r, h.Ttl, src, spread)
	c.slots[at] = append(c.slots[at], r)
	c.size++
	return true, true
}

// renew starts a record's life again, or ends it after the grace.
func (c *cache) renew(now time.Time, r *cached, ttl uint32, src netip.Addr, spread float64) {
	if ttl == 0 {
		c.end(r, now.Add(grace))
		return
	}
	r.src, r.born, r.asked = src, now, 0
	r.life = min(time.Duration(ttl)*time.Second, maxLife)
	r.expires = now.Add(r.life)
	r.schedule(spread)
	c.soon(r.ask)
	c.soon(r.expires)
}

// schedule sets the next refresh; spread (0 to 1) moves it by up to 2 % of the
// life, so that hosts do not ask together.
func (r *cached) schedule(spread float64) {
	if r.asked >= refreshes {
		r.ask = time.Time{}
		return
	}
	part := 0.80 + 0.05*float64(r.asked) + 0.02*spread
	r.ask = r.born.Add(time.Duration(part * float64(r.life)))
}

// outdate ends the records of a slot that are older than the grace and not the
// one that replaces them, section 10.2.
func (c *cache) outdate(now time.Time, at slot, keep string) {
	for _, r := range c.slots[at] {
		if r.data != keep && now.Sub(r.born) > grace {
			c.end(r, now.Add(grace))
		}
	}
}

// end brings a record's end forward, and refreshes it no more.
func (c *cache) end(r *cached, at time.Time) {
	if at.Before(r.expires) {
		r.expires, r.ask = at, time.Time{}
		c.soon(at)
	}
}

// doom ends all records of a link.
func (c *cache) doom(link int, at time.Time) {
	for s, rs := range c.slots {
		if s.link == link {
			for _, r := range rs {
				c.end(r, at)
			}
		}
	}
}

// reconsider asks for all records of a link that is back, at once.
func (c *cache) reconsider(now time.Time, link int) {
	for s, rs := range c.slots {
		if s.link == link && s.rtype != dns.TypePTR { // those are browsed for
			for _, r := range rs {
				r.ask = now
			}
			c.soon(now)
		}
	}
}

// soon brings the next sweep forward.
func (c *cache) soon(t time.Time) {
	if !t.IsZero() && (c.next.IsZero() || t.Before(c.next)) {
		c.next = t
	}
}

// sweep drops what has expired and calls refresh for what is to be asked for; it
// returns the slots that lost a record. refresh returns false to be called again
// in a second.
func (c *cache) sweep(now time.Time, spread func() float64, refresh func(slot, *cached) bool) []slot {
	if c.next.IsZero() || now.Before(c.next) {
		return nil
	}
	c.next = time.Time{}
	var lost []slot
	for at, rs := range c.slots {
		kept := rs[:0]
		for _, r := range rs {
			if !now.Before(r.expires) {
				continue
			}
			if !r.ask.IsZero() && !now.Before(r.ask) {
				if refresh(at, r) {
					r.asked++
					r.schedule(spread())
				} else {
					r.ask = now.Add(time.Second)
				}
			}
			c.soon(r.ask)
			c.soon(r.expires)
			kept = append(kept, r)
		}
		if len(kept) == len(rs) {
			continue
		}
		c.size -= len(rs) - len(kept)
		clear(rs[len(kept):])
		lost = append(lost, at)
		if c.slots[at] = kept; len(kept) == 0 {
			delete(c.slots, at)
		}
	}
	return lost
}

// drop forgets a slot.
func (c *cache) drop(at slot) {
	c.size -= len(c.slots[at])
	delete(c.slots, at)
}

// latest returns a slot's record that was heard last, or nil.
func (c *cache) latest(at slot) *cached {
	var last *cached
	for _, r := range c.slots[at] {
		if last == nil || r.born.After(last.born) {
			last = r
		}
	}
	return last
}

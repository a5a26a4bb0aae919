// Package discovery announces this speaker's services on every link by mDNS and
// DNS-SD, and keeps finding those of others: RFC 6762 and RFC 6763, after
// section 2 of our reading of OSTP. It shares UDP port 5353 with avahi-daemon or
// any other responder on the host.
//
// # What it does
//
// Names are probed and, on conflict, changed ("Kitchen (2)"); records are
// announced twice, again when a link comes back or changes its address, and
// withdrawn on Close. Browsing never ends: queries at 0, 1 and 3 s, then at
// doubling intervals up to an hour, with known answers; records are refreshed at
// 80, 85, 90 and 95 % of their life and dropped when they expire or are
// withdrawn. Each link is answered with that link's addresses, over IPv4 and
// IPv6, and no default route is needed.
//
// # Why so little of hashicorp/mdns
//
// Its MDNSService makes every PTR, SRV, TXT, A and AAAA record announced here.
// Its Server and Client cannot be used: the server binds one link, answers only
// by unicast, refuses truncated queries, never announces, probes or withdraws,
// and sets neither the cache-flush bit nor different lives; its zone matches
// names by case. The client asks once, forgets lives and links, binds a random
// port (so that every answer must be unicast) and cannot listen over IPv4
// without a default route. Messages themselves are miekg/dns's.
//
// # Left out
//
// Queries never ask for unicast answers (section 5.4), because on a shared port
// the kernel hands those to only one of the programs (section 15.1). Duplicate
// questions and answers of other hosts (7.3, 7.4) do not silence ours. Host
// names are made unique at random and therefore not probed (8.1 allows it), so
// that they never meet the name that avahi-daemon defends for the same host.
//
// Units are nanoseconds (time.Duration) and, on the wire, seconds. Concurrency:
// a Node has one goroutine that owns all state and one reader for each family; a
// Browser has one that delivers its events. Close ends and waits for them. All
// exported methods may be called from any goroutine. Memory is bounded whatever
// the network sends: see the limits in limits.go.
package discovery

import (
	"net/netip"
	"time"
)

// Service is what one instance announces.
type Service struct {
	// Instance is the name people read, 1 to 63 bytes of UTF-8. On conflict it is
	// announced with a number: "Kitchen (2)".
	Instance string
	// Type is like "_ostp._udp"; Aliases are further types under which the same
	// instance is announced, such as "_soluna._udp".
	Type    string
	Aliases []string
	Port    uint16
	// Text is the instance's TXT record. A key is 1 or more printable ASCII
	// characters without '='; a pair has at most 255 bytes, all of them 1300.
	Text map[string]string
}

// Entry is an instance that was found on one link. The same instance on two
// links makes two entries.
type Entry struct {
	Instance string
	Type     string // like "_ostp._udp"
	Host     string // like "kitchen-1f2e3d4c.local."
	// Addrs are the instance's addresses on this link, best first: IPv4 and then
	// IPv6 of the link's own networks, IPv6 link-local (with its zone), others.
	Addrs     []netip.AddrPort
	Text      map[string]string // keys in lower case
	Interface string            // the link, by name,
	Index     int               // and by index
	Seen      time.Time         // when it was last heard of
	Expires   time.Time         // when it is removed unless it is heard again
}

// Kind says what happened to an entry.
type Kind int

// The kinds of an Event.
const (
	Added   Kind = iota + 1 // first complete: host, port, text and an address
	Updated                 // host, port, text or addresses changed
	Removed                 // withdrawn, expired, or its link went away
)

// String returns the kind in lower case.
func (k Kind) String() string {
	switch k {
	case Added:
		return "added"
	case Updated:
		return "updated"
	case Removed:
		return "removed"
	}
	return "unknown"
}

// Event is a change to an entry; Entry is as it is after the change, and for
// Removed as it was before.
type Event struct {
	Kind  Kind
	Entry Entry
}

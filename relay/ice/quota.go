package ice

import (
	"net"
	"net/netip"
	"sync"

	"github.com/pion/turn/v5"
)

// How many relayed addresses one session and one network may hold at once. A source
// takes one for each peer and family; a network is an IPv4 address or an IPv6 /64.
const (
	mostOfSession = 16
	mostOfNetwork = 64
)

// quota counts the relayed addresses of the embedded server: each takes one of its
// ports, so that one stranger with a session could otherwise have all. It is safe for
// concurrent use.
type quota struct {
	mu       sync.Mutex
	sessions map[string]int
	networks map[netip.Prefix]int
}

func newQuota() *quota {
	return &quota{sessions: map[string]int{}, networks: map[netip.Prefix]int{}}
}

// allows reports whether a session may have one more.
func (q *quota) allows(session, _ string, from net.Addr) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.sessions[session] < mostOfSession && q.networks[networkOf(from)] < mostOfNetwork
}

// events counts.
func (q *quota) events() turn.EventHandler {
	return turn.EventHandler{
		OnAllocationCreated: func(from, _ net.Addr, _, session, _ string, _ net.Addr, _ int) { q.add(session, from, 1) },
		OnAllocationDeleted: func(from, _ net.Addr, _, session, _ string) { q.add(session, from, -1) },
	}
}

func (q *quota) add(session string, from net.Addr, n int) {
	network := networkOf(from)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.sessions[session] += n; q.sessions[session] <= 0 {
		delete(q.sessions, session)
	}
	if q.networks[network] += n; q.networks[network] <= 0 {
		delete(q.networks, network)
	}
}

// networkOf is who is counted as one.
func networkOf(a net.Addr) netip.Prefix {
	u, ok := a.(*net.UDPAddr)
	if !ok {
		return netip.Prefix{}
	}
	addr := u.AddrPort().Addr().Unmap().WithZone("")
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits) // the length fits the family
	return p
}

package hub

import (
	"net/netip"

	"github.com/pion/stun/v4"

	"github.com/tutti-audio/tutti/internal/udp"
)

const (
	bindingEvery = 50e6 // ns for each STUN request of a network: 20 a second
	bindingBurst = 100
	knownFor     = 60e9  // ns for which a network is known by a member,
	vouchFor     = 180e9 // and by a session that was shown
)

// Knows reports whether a member is in the network of an address, by whatever way.
// Nobody else is told anything by STUN: its answers are longer than its questions.
func (h *Hub) Knows(a netip.Addr) bool {
	return h.gate.known(a.Unmap().WithZone(""), h.clock.now()) != nil
}

// Vouch takes the network of an address as one that a member is in, for a while: it has
// shown a member's session over a connection.
func (h *Hub) Vouch(a netip.Addr) {
	if n := h.gate.network(a.Unmap().WithZone("")); n != nil {
		n.until(h.clock.now() + vouchFor)
	}
}

// until has members count as being in the network at least until then.
func (n *network) until(then int64) {
	for was := n.known.Load(); was < then && !n.known.CompareAndSwap(was, then); {
		was = n.known.Load()
	}
}

// know takes a member's network as known.
func (h *Hub) know(m *member, now int64) {
	if m.proven.Load() && m.network != nil {
		m.network.until(now + knownFor)
	}
}

// binding answers a STUN Binding request (RFC 8489) with the address that it came
// from: the reflexive address, for ICE; and told by two ports, what kind of NAT it is.
func (w *worker) binding(b []byte, from *udp.Name, addr netip.AddrPort, now int64) {
	n := w.hub.gate.known(addr.Addr(), now)
	q := &w.question
	q.Raw = append(q.Raw[:0], b...)
	switch {
	case n == nil || q.Decode() != nil || q.Type != stun.BindingRequest:
		w.counts.Foreign.Add(1)
		return
	case !n.bindings.allow(now, bindingEvery, bindingBurst):
		w.counts.Limited.Add(1)
		return
	}
	if w.answer.Build(q, stun.BindingSuccess, &stun.XORMappedAddress{IP: addr.Addr().AsSlice(), Port: int(addr.Port())}) == nil {
		w.counts.Bindings.Add(1)
		_ = w.port.Send(w.answer.Raw, from)
	}
}

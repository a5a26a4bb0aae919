package hub

import (
	"net/netip"

	"github.com/tutti-audio/tutti/ostp"
)

// Guest is a connection by which somebody joins otherwise than by plain datagrams.
// Its address is proved by the connection. Its methods belong to one goroutine.
type Guest struct {
	hub    *Hub
	origin origin
}

// Connect makes a guest; Close ends it.
func (h *Hub) Connect(from netip.AddrPort, sink Sink) *Guest {
	return &Guest{hub: h, origin: origin{way: way{addr: netip.AddrPortFrom(from.Addr().Unmap().WithZone(""), from.Port()), sink: sink}, visitor: new(visitor)}}
}

// Line takes one line.
func (g *Guest) Line(b []byte) {
	g.forgetLeft()
	g.hub.line(&g.origin, b, g.hub.clock.now())
}

// Media takes one packet.
func (g *Guest) Media(b []byte) {
	g.forgetLeft()
	h, m := g.hub, g.origin.member
	if m == nil || len(b) > ostp.MaxPacket {
		h.counts.Strangers.Add(1)
		return
	}
	h.othersMu.Lock()
	defer h.othersMu.Unlock()
	h.others.media(m, b, h.clock.now())
}

// Joined reports whether the guest is a member.
func (g *Guest) Joined() bool { return g.origin.member != nil }

// Session returns the session of a guest that is a member.
func (g *Guest) Session() string {
	if g.origin.member == nil {
		return ""
	}
	return g.origin.member.session
}

func (g *Guest) forgetLeft() {
	if g.origin.member != nil && g.origin.member.gone.Load() {
		g.origin.member = nil
	}
}

// Close ends the membership.
func (g *Guest) Close() {
	if g.origin.member != nil {
		g.hub.leave(g.origin.member)
	}
}

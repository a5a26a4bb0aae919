package hub

import (
	"net/netip"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/line"
)

// Guest is a connection by which somebody joins otherwise than by plain datagrams.
// Its address is proved by the connection. Its methods belong to one goroutine.
type Guest struct {
	hub    *Hub
	origin origin
}

// Connect makes a guest, to whom media is given or lines alone; Close ends it.
func (h *Hub) Connect(from netip.AddrPort, sink Sink, media bool) *Guest {
	addr := netip.AddrPortFrom(from.Addr().Unmap().WithZone(""), from.Port())
	return &Guest{hub: h, origin: origin{way: way{addr: addr, sink: sink, deaf: !media}, visitor: new(visitor)}}
}

// Join joins a channel by a password, or by the session of a member: the guest is
// then the same device by another way.
func (g *Guest) Join(channel, token string) {
	g.forgetLeft()
	g.hub.join(&g.origin, line.Join{Channel: channel, Password: token}, g.hub.clock.now())
}

// NACK asks for packets of the present source, for clients that do not read packets.
func (g *Guest) NACK(missing []uint16) {
	g.forgetLeft()
	m := g.origin.member
	if m == nil || len(missing) == 0 || len(missing) > ostp.MaxNACK {
		return
	}
	both := m.channel.rings.Load()
	if both == nil {
		return
	}
	h := g.hub
	h.othersMu.Lock()
	defer h.othersMu.Unlock()
	h.others.missing = append(h.others.missing[:0], missing...)
	h.others.answerNACK(m, both[0], h.clock.now())
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

package hub

import (
	"crypto/tls"
	"net/netip"

	"github.com/tutti-audio/tutti/internal/dtlssrtp"
	"github.com/tutti-audio/tutti/internal/udp"
	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/relay/secure"
)

// sealBatch is how many protected copies are sent at once.
const sealBatch = 64

// newEndpoint makes the DTLS side of the port.
func (h *Hub) newEndpoint(certificate func() (*tls.Certificate, error)) *secure.Endpoint {
	return secure.New(secure.Config{
		Certificate: certificate,
		Send: func(b []byte, to netip.AddrPort) {
			if name, ok := h.ports[0].Name(to); ok {
				_ = h.ports[0].Send(b, &name)
			}
		},
		Known:  func(a netip.AddrPort) bool { return h.gate.visitor(a, h.clock.now()) != nil || h.members.get(a) != nil },
		Proved: func(a netip.AddrPort) { _ = h.gate.trust(a, h.clock.now()) },
		Open:   h.open,
		Log:    h.log,
	})
}

// Sealed returns the counters of DTLS; nil without a certificate.
func (h *Hub) Sealed() *secure.Counts {
	if h.secure == nil {
		return nil
	}
	return h.secure.Counts()
}

// open makes the guest of a DTLS association.
func (h *Hub) open(p *secure.Peer) secure.User {
	name, _ := h.ports[0].Name(p.Addr()) // it has come by this port
	return &sealedGuest{Guest{hub: h, origin: origin{way: way{addr: p.Addr(), name: &name, sink: sealedSink{p}, sealed: p}, visitor: new(visitor)}}}
}

// sealedGuest is a guest by DTLS.
type sealedGuest struct{ Guest }

// Line implements secure.User: a line, or a clock probe.
func (g *sealedGuest) Line(b []byte) {
	if len(b) != probeSize || b[0] != probeByte {
		g.Guest.Line(b)
		return
	}
	if g.forgetLeft(); g.Joined() && g.hub.answerProbe(g.origin.member, b, g.hub.clock.now()) {
		g.origin.sink.Line(b)
	}
}

// Wanted implements secure.User.
func (g *sealedGuest) Wanted() bool {
	g.forgetLeft()
	return g.Joined()
}

// sealedSink sends lines as DTLS data. Media goes otherwise.
type sealedSink struct{ peer *secure.Peer }

// Line implements Sink.
func (s sealedSink) Line(b []byte) { s.peer.Line(b) }

// Media implements Sink; it is not called.
func (sealedSink) Media(*Shared) {}

// sealedMedia takes an SRTP packet of a member.
func (w *worker) sealedMedia(m *member, b []byte, now int64) {
	var err error
	if w.clear, err = m.sealed.Open(w.clear, b); err != nil {
		w.counts.Forged.Add(1)
		if w.clear == nil {
			w.clear = make([]byte, ostp.MaxPacket)
		}
		return
	}
	w.media(m, w.clear, now)
}

// sealedTo is a listener by DTLS-SRTP.
type sealedTo struct {
	cipher *dtlssrtp.Cipher
	name   udp.Name
}

// forwardSealed protects a copy for each listener but two, which may be nil, and sends
// them, a batch at a time.
func (w *worker) forwardSealed(to []sealedTo, b []byte, but, nor *udp.Name) (sent int) {
	for len(to) > 0 {
		batch := to[:min(len(to), sealBatch)]
		to = to[len(batch):]
		for i := range batch {
			w.ciphers[i] = batch[i].cipher
		}
		w.fetched += dtlssrtp.Fetch(w.ciphers[:len(batch)])
		n := 0
		for i := range batch {
			if l := &batch[i]; !l.name.Is(but) && !l.name.Is(nor) && w.seal(n, l.cipher, &l.name, b) {
				n++
			}
		}
		sent += w.fan.SendEach(w.seals[:n], w.sealed[:n])
	}
	return sent
}

// seal protects b for one listener into place n of the batch.
func (w *worker) seal(n int, c *dtlssrtp.Cipher, name *udp.Name, b []byte) bool {
	if need := len(b) + dtlssrtp.Overhead; cap(w.seals[n]) < need {
		w.seals[n] = make([]byte, max(need, 1500))
	}
	p, err := c.Seal(w.seals[n], b)
	if err != nil {
		return false
	}
	w.seals[n], w.sealed[n] = p, name
	return true
}

// passSealed sends one packet to one member.
func (w *worker) passSealed(m *member, b []byte) {
	if w.seal(0, m.sealed.Cipher, m.name, b) {
		_ = w.port.Send(w.seals[0], m.name)
	}
}

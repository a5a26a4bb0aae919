package hub

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"github.com/pion/stun/v4"

	"github.com/tutti-audio/tutti/internal/dtlssrtp"
	"github.com/tutti-audio/tutti/internal/udp"
	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/line"
)

const (
	receiveBatch = 32
	maxDatagram  = ostp.MaxPacket + 1
	probeByte    = 0x7D
	probeSize    = 25
	errorEvery   = 1e9 // ns for each ERR line of one kind of trouble
)

// worker serves one socket. Everything but counts belongs to its goroutine.
type worker struct {
	hub     *Hub
	port    *udp.Port
	fan     *udp.Fan
	counts  counts
	packet  ostp.Packet
	built   ostp.Packet
	missing []uint16
	lacking []uint16
	payload []byte
	scratch []byte
	clear   []byte // what was unprotected
	seals   [sealBatch][]byte
	sealed  [sealBatch]*udp.Name
	ciphers [sealBatch]*dtlssrtp.Cipher
	fetched int

	question, answer stun.Message
}

func newWorker(h *Hub, p *udp.Port) *worker {
	return &worker{hub: h, port: p, fan: p.Fan(), scratch: make([]byte, 0, ostp.MaxPacket), clear: make([]byte, ostp.MaxPacket)}
}

// run reads until the hub is closed.
func (w *worker) run() {
	for !w.hub.closed() {
		n, err := w.port.Wait()
		if err != nil {
			w.counts.SocketErrors.Add(1)
			time.Sleep(10 * time.Millisecond)
			continue
		}
		now := w.hub.clock.now()
		for i := range n {
			b, from := w.port.Datagram(i)
			w.datagram(b, from, now)
		}
	}
}

// datagram tells what came by its first byte (RFC 7983).
func (w *worker) datagram(b []byte, from *udp.Name, now int64) {
	if len(b) == 0 {
		return
	}
	addr := from.AddrPort()
	m := w.hub.members.get(addr)
	switch {
	case b[0]>>6 == 2:
		if m == nil {
			w.counts.Strangers.Add(1)
			return
		}
		if m.sealed != nil {
			w.sealedMedia(m, b, now)
			return
		}
		w.media(m, b, now)
	case b[0] >= 20 && b[0] <= 63 && w.hub.secure != nil:
		w.hub.secure.Datagram(b, addr)
	case b[0] == probeByte && len(b) == probeSize && inClear(m) != nil:
		w.probe(m, b, from, now)
	case b[0] >= 'A' && b[0] <= 'Z':
		w.line(m, addr, b, from, now)
	case b[0] < 4:
		w.binding(b, from, addr, now)
	default:
		w.counts.Foreign.Add(1)
	}
}

// inClear is m unless that has a DTLS association: what comes from its address in
// the clear is a stranger's, who must prove himself anew and know the password.
func inClear(m *member) *member {
	if m != nil && m.sealed != nil {
		return nil
	}
	return m
}

// probe answers the 25-byte clock probe of members: T2 and T3 are the hub's clock,
// which never steps.
func (w *worker) probe(m *member, b []byte, from *udp.Name, now int64) {
	if w.hub.answerProbe(m, b, now) {
		_ = w.port.Send(b, from)
	}
}

// answerProbe writes the answer over the probe.
func (h *Hub) answerProbe(m *member, b []byte, now int64) bool {
	if !m.proven.Load() || !m.lines.allow(now, lineEvery, lineBurst) {
		h.counts.Limited.Add(1)
		return false
	}
	m.seen.Store(now)
	binary.LittleEndian.PutUint64(b[9:], uint64(now))
	binary.LittleEndian.PutUint64(b[17:], uint64(h.clock.now()))
	h.counts.Probes.Add(1)
	return true
}

func (w *worker) line(m *member, addr netip.AddrPort, b []byte, from *udp.Name, now int64) {
	o := origin{way: way{addr: addr, name: from}, member: inClear(m), size: len(b), besides: m != inClear(m)}
	w.hub.line(&o, b, now)
}

// media takes one packet of a member.
func (w *worker) media(m *member, b []byte, now int64) {
	if ostp.IsRTCP(b) {
		w.report(m, b, now)
		return
	}
	if err := ostp.ParsePacket(&w.packet, b); err != nil {
		if errors.Is(err, ostp.ErrCRC) {
			w.counts.BadCRC.Add(1)
		} else {
			w.counts.Foreign.Add(1)
		}
		return
	}
	m.seen.Store(now)
	if ostp.PayloadType(w.packet.PayloadType) == ostp.NACK {
		w.nack(m, now)
		return
	}
	limit := int64(w.hub.settings.Load().SourceBytes)
	if !m.volume.allowCost(now, int64(len(b))*1e9/limit, 1e9) {
		w.counts.Dropped.Add(1)
		return
	}
	if c := m.channel; c.floor.Load() == m || w.hub.takeFloor(m, now) {
		c.floorAt.Store(now)
		w.forward(m, b, now)
		return
	}
	w.counts.Refused.Add(1)
	if m.errors.allow(now, errorEvery, 2) {
		w.hub.tell(m, line.Err{Word: line.NoPermission})
	}
}

// forward keeps the packet in w.packet, whose bytes are b, and sends it to all.
func (w *worker) forward(m *member, b []byte, now int64) {
	w.counts.PacketsIn.Add(1)
	w.counts.BytesIn.Add(uint64(len(b)))
	c, isFEC := m.channel, ostp.PayloadType(w.packet.PayloadType) == ostp.FEC
	if r := c.ring(w.packet.SSRC); !isFEC {
		c.payload.Store(uint32(w.packet.PayloadType))
		if r == nil {
			r = c.begin(w.packet.SSRC, w.packet.StreamID, now)
		}
		if r != nil && r.keep(w.packet.Sequence(), b) {
			w.counts.Duplicates.Add(1)
			return
		}
	}
	a := c.audience.Load()
	names, sealed := a.plain, a.sealed
	if isFEC {
		names, sealed = names[:a.fec], sealed[:a.sealedFEC]
	}
	but, nor := m.name, (*udp.Name)(nil)
	if twin := m.twin.Load(); twin != nil {
		nor = twin.name
	}
	sent := w.fan.SendAll(b, names, but, nor) + w.forwardSealed(sealed, b, but, nor)
	if !isFEC {
		sent += w.forwardOthers(a, m, b)
	}
	w.counts.PacketsOut.Add(uint64(sent))
	w.counts.BytesOut.Add(uint64(sent) * uint64(len(b)))
}

// forwardOthers sends to those who are not proven or not reached by UDP. Neither gets
// FEC: the former would be sent more than came, and to the latter nothing gets lost.
func (w *worker) forwardOthers(a *audience, from *member, b []byte) (sent int) {
	for _, m := range a.metered {
		if !m.same(from) && m.spend(len(b)) && w.port.Send(b, m.name) == nil {
			sent++
		}
	}
	if len(a.sinks) == 0 {
		return sent
	}
	shared := &Shared{Packet: append([]byte(nil), b...)}
	for _, m := range a.sinks {
		if !m.same(from) {
			m.sink.Media(shared)
			sent++
		}
	}
	return sent
}

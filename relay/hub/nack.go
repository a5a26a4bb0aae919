package hub

import (
	"github.com/tutti-audio/tutti/ostp"
)

// How much a member may ask for again.
const (
	nackEvery = 2.5e6 // ns for each sequence number: 400 a second
	nackBurst = 128
)

// nack answers the NACK in w.packet from the ring. What the ring lacks, the source
// is asked for, at most every 100 ms for each sequence number.
func (w *worker) nack(m *member, now int64) {
	w.counts.NACKs.Add(1)
	var err error
	if w.missing, err = ostp.ParseNACK(w.missing[:0], w.packet.Payload); err != nil {
		w.counts.Foreign.Add(1)
		return
	}
	if r := m.channel.ring(w.packet.SSRC); r != nil {
		w.answerNACK(m, r, now)
	}
}

// answerNACK sends what w.missing asks for.
func (w *worker) answerNACK(m *member, r *ring, now int64) {
	w.lacking = w.lacking[:0]
	for i, low := range w.missing {
		if !m.nacks.allow(now, nackEvery, nackBurst) {
			w.counts.NACKsOver.Add(uint64(len(w.missing) - i))
			break
		}
		packet, found, known := r.find(w.scratch[:0], low)
		switch {
		case found && m.spend(len(packet)):
			w.counts.Resent.Add(1)
			w.pass(m, packet)
		case !found && known && r.ask(low, now):
			w.lacking = append(w.lacking, low)
		}
	}
	if source := m.channel.floor.Load(); len(w.lacking) > 0 && source != nil && !source.same(m) {
		w.askSource(source, r)
	}
}

// pass sends one packet to one member.
func (w *worker) pass(m *member, packet []byte) {
	if m.sealed != nil {
		w.passSealed(m, packet)
		return
	}
	if m.sink != nil {
		m.sink.Media(&Shared{Packet: append([]byte(nil), packet...)})
		return
	}
	_ = w.port.Send(packet, m.name)
}

// askSource passes on what the ring lacks, in a NACK of the relay's own.
func (w *worker) askSource(source *member, r *ring) {
	w.counts.Lacking.Add(uint64(len(w.lacking)))
	var err error
	if w.payload, err = ostp.AppendNACK(w.payload[:0], w.lacking); err != nil {
		return
	}
	w.built.PayloadType, w.built.SSRC, w.built.StreamID, w.built.Payload = uint8(ostp.NACK), r.ssrc, r.from, w.payload
	w.built.SetSequence(source.nackAt.Add(1)) // SRTP must not see one twice
	if b, err := ostp.AppendPacket(w.scratch[:0], &w.built); err == nil {
		w.pass(source, b)
	}
}

package remote

import (
	"time"

	"github.com/tutti-audio/tutti/ostp"
)

const chaseEvery = 2 * time.Millisecond

// path says what asking again depends on. Callers hold mu.
func (r *Receiver) path() path {
	return path{trip: r.way.RoundTrip(), usable: r.buffer.usable()}
}

// chase asks for what is missing while that can still be in time.
func (r *Receiver) chase() {
	tick := time.NewTicker(chaseEvery)
	defer tick.Stop()
	var asker asker
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-r.lost:
		}
		for r.ask(&asker) > 0 {
			select {
			case <-r.ctx.Done():
				return
			case <-r.lost:
			case <-tick.C:
			}
		}
	}
}

// asker keeps what requests are made of.
type asker struct {
	missing []uint16
	packet  ostp.Packet
	out     []byte
}

// ask asks for what is due and returns how much is missing.
func (r *Receiver) ask(a *asker) (missing int) {
	r.mu.Lock()
	before := r.gaps.lost
	a.missing = r.gaps.due(a.missing[:0], r.config.Clock.Now(), r.path())
	missing = len(r.gaps.missing)
	if r.gaps.lost > before {
		poke(r.gone)
	}
	a.packet.StreamID, a.packet.SSRC, a.packet.PayloadType = r.stream.StreamID, r.stream.SSRC, uint8(ostp.NACK)
	r.mu.Unlock()
	if len(a.missing) == 0 {
		return missing
	}
	a.packet.SetSequence(r.config.Member.nacks.Add(1))
	a.packet.Payload, _ = ostp.AppendNACK(a.packet.Payload[:0], a.missing)
	if b, err := ostp.AppendPacket(a.out[:0], &a.packet); err == nil {
		a.out = b
		_ = r.way.Write(b)
	}
	return missing
}

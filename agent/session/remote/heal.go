package remote

import (
	"time"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/fec"
)

// healing makes the parity that goes along with a stream.
type healing struct {
	adapter fec.Adapter
	encoder fec.Encoder
	packet  ostp.Packet
	waiting [][]byte // parity that has not left yet
	out     [][]byte
	on      bool
}

// shape takes over what the adapter wants.
func (h *healing) shape(packet, latency time.Duration, now time.Time) {
	k, m := h.adapter.Shape(packet, latency, now)
	if h.encoder.SetShape(k, m) == nil {
		h.on = m > 0
	}
}

// with takes a data packet in and returns the parity that leaves beside it: a block's
// first beside its last data, the others along with the data of the next, so that one
// burst does not take all. It is valid until the next call.
func (h *healing) with(b []byte) [][]byte {
	if !h.on && len(h.waiting) == 0 || ostp.ParsePacket(&h.packet, b) != nil {
		return nil
	}
	made, _ := h.encoder.Add(&h.packet) // fails for no shape that was accepted
	for i := range made {
		if b, err := ostp.AppendPacket(nil, &made[i]); err == nil {
			h.waiting = append(h.waiting, b)
		}
	}
	h.out = h.out[:0]
	if len(h.waiting) > 0 {
		h.out = append(h.out, h.waiting[0])
		h.waiting = h.waiting[1:]
	}
	return h.out
}

package player

import (
	"math"

	"github.com/tutti-audio/tutti/ostp/control"
	"github.com/tutti-audio/tutti/ostp/describe"
)

// Report fills in what the player presents, and how it is.
func (p *Player) Report(r *control.Receiver, stream *describe.Stream) {
	s := p.Status()
	h := &r.Health
	h.Playing, h.PPM = s.Playing, s.PPM
	h.LostPackets, h.ConcealedFrames = uint32(s.Engine.Lost), uint32(s.Engine.Concealed)
	h.Margin, h.Queue = s.Engine.Margin, s.Queue
	h.Muted, h.Volume, h.Trim = s.Muted, uint8(s.Volume), s.Trim
	if !s.Playing || !s.Reported {
		return
	}
	h.Late, h.Bound = s.Presented.Late, s.Presented.Bound
	h.Latency = stream.Latency + h.Trim + h.Late
	r.PresentedAt = s.Presented.House
	r.PresentedRTP = math.Mod(float64(stream.Offset)+s.Presented.Media, 1<<32)
}

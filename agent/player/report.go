package player

import (
	"math"

	"github.com/tutti-audio/tutti/ostp/control"
	"github.com/tutti-audio/tutti/ostp/describe"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// Report fills in what the player presents, and how it is, and returns when it was at the
// output; 0: nothing is. PresentedAt is for the caller: what the player takes for house
// time may be on its way to what a session knows it to be.
func (p *Player) Report(r *control.Receiver, stream *describe.Stream) (presented timebase.Local) {
	s := p.Status()
	h := &r.Health
	h.Playing, h.PPM = s.Playing, s.PPM
	h.LostPackets, h.ConcealedFrames = uint32(s.Engine.Lost), uint32(s.Engine.Concealed)
	h.Margin, h.Queue = s.Engine.Margin, s.Queue
	h.Muted, h.Volume, h.Trim = s.Muted, uint8(s.Volume), s.Trim
	if !s.Playing || !s.Reported {
		return 0
	}
	h.Late, h.Bound = s.Presented.Late, s.Presented.Bound
	h.Latency = stream.Latency + h.Trim + h.Late
	r.PresentedRTP = math.Mod(float64(stream.Offset)+s.Presented.Media, 1<<32)
	return s.Presented.Local
}

package inspect

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/tutti-audio/tutti/ostp/control"
)

// explainRTCP explains a compound packet: which there are, and what those say that
// OSTP uses.
func explainRTCP(b []byte) Explanation {
	e := Explanation{Kind: RTCP}
	names := e.compound(b)
	e.Summary = strings.Join(names, " + ")
	r, err := control.Parse(b, 0)
	if err != nil {
		e.Problem = err.Error()
		return e
	}
	if r.Sender != nil {
		e.sender(r.Sender)
	}
	if r.Receiver != nil {
		if again, err := control.Parse(b, r.Receiver.ReceivedAt); err == nil { // completes the presentation time
			r = again
		}
		e.receiver(r.Receiver)
	}
	for _, ssrc := range r.Goodbye {
		e.add("goodbye", "SSRC %08X", ssrc)
	}
	return e
}

// compound lists the packets of a compound by their headers.
func (e *Explanation) compound(b []byte) (names []string) {
	known := map[byte]string{200: "SR", 201: "RR", 202: "SDES", 203: "BYE", 204: "APP", 205: "RTPFB", 206: "PSFB", 207: "XR"}
	for len(b) >= 4 {
		size := 4 * (int(binary.BigEndian.Uint16(b[2:])) + 1)
		name := known[b[1]]
		if name == "" {
			name = fmt.Sprintf("type %d", b[1])
		}
		names = append(names, name)
		e.add(name, "count %d, %d bytes", b[0]&31, size)
		b = b[min(size, len(b)):]
	}
	return names
}

func (e *Explanation) sender(s *control.Sender) {
	e.add("SR.SSRC", "%08X", s.SSRC)
	e.add("SR.house time", "%s", seconds(s.House))
	e.add("SR.RTP timestamp", "%d", s.Timestamp)
	e.add("SR.packets", "%d", s.Packets)
	e.add("SR.bytes", "%d", s.Octets)
	e.add("SDES.name", "%s", s.Name)
	if s.Note != "" {
		e.add("SDES.note", "%s", s.Note)
	}
	if s.Gateway != nil {
		e.gateway(s.Gateway)
	}
}

// gateway explains what the gateway of a house says besides.
func (e *Explanation) gateway(g *control.Gateway) {
	e.add("gateway.term", "%d", g.Term)
	e.add("gateway.leaving", "%v", g.Leaving)
	for _, l := range g.Legs {
		e.add("gateway.leg", "from %s the stream's time is %s and gains %+.3f ppm", seconds(l.From), seconds(l.Stream), l.Drift*1e6)
	}
	if g.StandBy.Addr.IsValid() {
		e.add("gateway.stand-by", "%v, clock port %d, HTTP port %d", g.StandBy.Addr, g.StandBy.Clock, g.StandBy.HTTP)
	}
}

func (e *Explanation) receiver(r *control.Receiver) {
	e.add("RR.SSRC", "%08X", r.SSRC)
	e.add("RR.stream", "%08X", r.Stream)
	e.add("RR.lost lately", "%.1f %%", float64(r.FractionLost)/2.56)
	e.add("RR.lost", "%d", r.Lost)
	e.add("RR.highest sequence", "%d", r.HighestSequence)
	e.add("RR.jitter", "%d ticks", r.Jitter)
	e.add("SDES.id", "%s", r.ID)
	e.add("SDES.name", "%s", r.Name)
	h := r.Health
	if h != (control.Health{}) {
		e.add("TUTI", "playing %v, muted %v, unicast %v, volume %d", h.Playing, h.Muted, h.Unicast, h.Volume)
		e.add("TUTI.late", "%v ± %v", h.Late, h.Bound)
		e.add("TUTI.resampling", "%+.1f ppm", h.PPM)
		e.add("TUTI.latency", "%v, trim %v, margin %v", h.Latency, h.Trim, h.Margin)
		e.add("TUTI.queue", "%v", h.Queue)
		e.add("TUTI.mending", "within %v, asking %d times", h.Mend, h.Asks)
		e.add("TUTI.lost", "%d packets, longest run %v; %d frames concealed", h.LostPackets, h.Burst, h.ConcealedFrames)
	}
	if r.PresentedAt != 0 {
		e.add("IDMS.received at", "%s", seconds(r.ReceivedAt))
		e.add("IDMS.RTP timestamp", "%.0f", r.PresentedRTP)
		e.add("IDMS.presented at", "%s", seconds(r.PresentedAt))
	}
}

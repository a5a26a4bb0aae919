package control

import (
	"encoding/binary"
	"math"
	"net/netip"

	"github.com/tutti-audio/tutti/sync/course"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// Gateway is what the gateway of a house says in its reports besides: it passes a
// stream on that comes from outside, and its clock is not the source's.
type Gateway struct {
	Term    uint32       // counts up with each gateway that takes over from another
	Leaving bool         // it is about to go: let the stand-by take over now
	Legs    []course.Leg // the newest, oldest first; 1 to MaxLegs
	StandBy StandBy      // zero: nobody
}

// StandBy is who takes over when the gateway dies.
type StandBy struct {
	Addr  netip.Addr
	Clock uint16 // UDP port of its clock
	HTTP  uint16 // TCP port of its description
}

// MaxLegs is how many legs a report carries: the one that holds and those to come, so
// that a report that is lost costs nothing.
const MaxLegs = 4

const (
	gatewayVersion = 2 // as the APP packet's subtype
	gatewayHead    = 28
	gatewayLeg     = 24
	flagLeaving    = 1

	driftUnit = 1e-15
	mostDrift = 2e-3
)

// gatewayData is g: term, flags, the number of legs, two spare bytes, the
// stand-by's address as IPv6 with its clock and HTTP port, then for each leg From and
// Stream in nanoseconds and the drift in units of 10^-15, 64 bits each. All big-endian.
func gatewayData(g *Gateway) []byte {
	var dst []byte
	legs := g.Legs[max(0, len(g.Legs)-MaxLegs):]
	flags := byte(0)
	if g.Leaving {
		flags = flagLeaving
	}
	dst = binary.BigEndian.AppendUint32(dst, g.Term)
	dst = append(dst, flags, byte(len(legs)), 0, 0)
	addr := [16]byte{}
	if g.StandBy.Addr.IsValid() {
		addr = g.StandBy.Addr.As16()
	}
	dst = append(dst, addr[:]...)
	dst = binary.BigEndian.AppendUint16(dst, g.StandBy.Clock)
	dst = binary.BigEndian.AppendUint16(dst, g.StandBy.HTTP)
	for _, l := range legs {
		dst = binary.BigEndian.AppendUint64(dst, uint64(l.From))
		dst = binary.BigEndian.AppendUint64(dst, uint64(l.Stream))
		dst = binary.BigEndian.AppendUint64(dst, uint64(int64(math.Round(l.Drift/driftUnit))))
	}
	return dst
}

// parseGateway reads what gatewayData wrote.
func parseGateway(b []byte) (g Gateway, ok bool) {
	if len(b) < gatewayHead {
		return g, false
	}
	count := int(b[5])
	if count < 1 || count > MaxLegs || len(b) < gatewayHead+count*gatewayLeg {
		return g, false
	}
	g.Term, g.Leaving = binary.BigEndian.Uint32(b), b[4]&flagLeaving != 0
	if addr := netip.AddrFrom16([16]byte(b[8:24])).Unmap(); !addr.IsUnspecified() {
		g.StandBy = StandBy{Addr: addr, Clock: binary.BigEndian.Uint16(b[24:]), HTTP: binary.BigEndian.Uint16(b[26:])}
	}
	word := func(i int) int64 { return int64(binary.BigEndian.Uint64(b[gatewayHead+8*i:])) }
	for i := range count {
		l := course.Leg{From: timebase.House(word(3 * i)), Stream: timebase.House(word(3*i + 1)), Drift: float64(word(3*i+2)) * driftUnit}
		if math.Abs(l.Drift) > mostDrift || l.From <= 0 || l.Stream <= 0 {
			return g, false
		}
		g.Legs = append(g.Legs, l)
	}
	return g, true
}

package hub

import (
	"crypto/sha256"
	"net/netip"
	"sync/atomic"

	"github.com/tutti-audio/tutti/internal/udp"
	"github.com/tutti-audio/tutti/ostp/line"
	"github.com/tutti-audio/tutti/relay/secure"
)

// Sink reaches a member otherwise than by a plain datagram. Neither method may
// wait, and neither may keep what b points to.
type Sink interface {
	Line(b []byte)   // one line with its LF
	Media(p *Shared) // one packet
}

// Shared is one packet for many sinks, which may keep it and must not change it.
// Frame belongs to the goroutine that calls Media.
type Shared struct {
	Packet []byte
	frames [maxFrames][]byte
}

// maxFrames is how many forms of one packet there can be.
const maxFrames = 8

// Frame returns the packet in another form, which is made once for all sinks.
func (s *Shared) Frame(kind int, form func(packet []byte) []byte) []byte {
	if s.frames[kind] == nil {
		s.frames[kind] = form(s.Packet)
	}
	return s.frames[kind]
}

// way is how somebody is reached: by name or by sink.
type way struct {
	addr netip.AddrPort
	name *udp.Name
	sink Sink
	deaf bool // takes no media

	sealed *secure.Peer // DTLS-SRTP: sink has the lines, name the address for media
}

// member is one membership of a channel. What is not atomic is guarded by the
// hub's lock, or never changes.
type member struct {
	way
	channel *channel
	network *network // nil: there are too many
	session string
	id      string
	nackAt  atomic.Uint32     // sequence of the relay's own NACKs to it
	asked   [sha256.Size]byte // the device id that it gave
	device  [sha256.Size]byte
	named   bool // it has a device id
	options line.Options
	role    line.Role              // set by setRole
	sends   atomic.Bool            // what role says
	twin    atomic.Pointer[member] // same device, by another way
	elder   bool                   // of the two the former: the others are told of the newest only
	seen    atomic.Int64           // ns; last valid packet
	gone    atomic.Bool            // it left, or expired

	proven atomic.Bool  // its address
	since  atomic.Int64 // ns; of the proof
	asking int64        // ns; since when it is asked to prove itself again; 0: it is not
	budget atomic.Int64 // bytes, of one who did not prove its address

	errors  pace // ERR lines
	nacks   pace // sequence numbers
	signals pace
	lines   pace
	joins   pace
	reports pace // RTCP
	volume  pace // bytes sent up
}

func (m *member) setRole(r line.Role) {
	m.role = r
	m.sends.Store(r.Sends())
}

// same reports whether m and other are one device.
func (m *member) same(other *member) bool {
	return m == other || m.twin.Load() == other && other != nil
}

// spend takes size bytes from the budget of a member that did not prove itself.
func (m *member) spend(size int) bool { return m.proven.Load() || m.budget.Add(-int64(size)) >= 0 }

// audience is who hears a channel. It is never changed, only replaced. What a packet
// needs of its listeners lies in a row: thousands of them do not fit into the processor's
// cache.
type audience struct {
	plain     []udp.Name // those who take FEC first
	fec       int        // how many those are
	metered   []*member  // did not prove themselves
	sealed    []sealedTo // by DTLS-SRTP, those who take FEC first
	sealedFEC int
	sinks     []*member
}

func newAudience(members []*member) *audience {
	a := new(audience)
	for _, fec := range []bool{true, false} {
		for _, m := range members {
			if m.options.FEC == fec {
				a.add(m)
			}
		}
		if fec {
			a.fec, a.sealedFEC = len(a.plain), len(a.sealed)
		}
	}
	return a
}

func (a *audience) add(m *member) {
	switch {
	case m.deaf || m.options.Quiet:
	case m.sealed != nil:
		a.sealed = append(a.sealed, sealedTo{m.sealed.Cipher, *m.name})
	case m.sink != nil:
		a.sinks = append(a.sinks, m)
	case !m.proven.Load():
		a.metered = append(a.metered, m)
	default:
		a.plain = append(a.plain, *m.name)
	}
}

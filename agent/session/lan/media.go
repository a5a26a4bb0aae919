package lan

import (
	"errors"
	"math"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-audio/tutti/internal/udp"
	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/clockmsg"
	"github.com/tutti-audio/tutti/ostp/codec"
	"github.com/tutti-audio/tutti/ostp/control"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// receiverStats is the receiver's shared state and what it counts.
type receiverStats struct {
	clock   sync.Mutex // client, asked, scratch, sent
	client  clockmsg.Client
	asked   [64]request
	scratch [clockmsg.Size]byte
	sent    uint32 // datagrams that left the clock socket, as the kernel counts them

	requests, answers                   atomic.Uint64
	packets, bytes                      atomic.Uint64
	damaged, foreign, otherStream, odd  atomic.Uint64
	byCopy, tolerated, implausible      atomic.Uint64
	byGroup                             atomic.Uint64 // since the last report
	lastMedia, highest, lost, lastRTP   atomic.Int64
	lastSR                              atomic.Int64
	jitter                              float64 // under pushing
	lastTransit                         int64
	base, expectedBefore, receivedSince int64
	counting                            bool
	afterLeap                           uint32 // the sequence that would prove the last leap
}

// Counters is what a receiver has counted.
type Counters struct {
	Packets     uint64 `json:"packets"`      // of the stream, also doubled ones
	Bytes       uint64 `json:"bytes"`        //
	Damaged     uint64 `json:"damaged"`      // wrong CRC or cut off
	Foreign     uint64 `json:"foreign"`      // no OSTP at all, or not from the sender's address
	OtherStream uint64 `json:"other_stream"` // OSTP of another SSRC or stream_id on this group
	UnknownType uint64 `json:"unknown_type"` // payload types we do not play
	Implausible uint64 `json:"implausible"`  // sequences far from all others
	Tolerated   uint64 `json:"tolerated"`    // CRC of another reading of the draft
	Copies      uint64 `json:"copies"`       // packets that came as our own copy
	Requests    uint64 `json:"clock_requests"`
	Answers     uint64 `json:"clock_answers"`
	Lost        int64  `json:"lost"` // packets that never came
}

// Counters returns what has been counted so far.
func (r *Receiver) Counters() Counters {
	s := &r.stats
	return Counters{
		Packets: s.packets.Load(), Bytes: s.bytes.Load(), Damaged: s.damaged.Load(), Foreign: s.foreign.Load(),
		OtherStream: s.otherStream.Load(), UnknownType: s.odd.Load(), Implausible: s.implausible.Load(), Tolerated: s.tolerated.Load(), Copies: s.byCopy.Load(),
		Requests: s.requests.Load(), Answers: s.answers.Load(), Lost: s.lost.Load(),
	}
}

// readMedia reads one media socket.
func (r *Receiver) readMedia(conn *udp.Conn) {
	var p ostp.Packet
	buf := make([]byte, ostp.MaxPacket+1)
	for {
		n, from, at, err := conn.Read(buf)
		if err != nil {
			if r.ctx.Err() != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if conn == r.copy && n > 1 && buf[1] >= 200 && buf[1] <= 207 {
			r.takeReport(buf[:n], from)
			continue
		}
		if !r.take(&p, buf[:n], from, at) {
			continue
		}
		if conn == r.copy {
			r.stats.byCopy.Add(1)
		} else {
			r.stats.byGroup.Add(1)
		}
	}
}

// take checks a datagram and hands it to the player. It reports whether it was of
// the stream.
func (r *Receiver) take(p *ostp.Packet, b []byte, from netip.AddrPort, at timebase.Local) bool {
	trailer, err := ostp.TrailerStandard, error(nil)
	if r.config.Tolerant {
		trailer, err = ostp.ParseTolerant(p, b)
	} else {
		err = ostp.ParsePacket(p, b)
	}
	switch {
	case errors.Is(err, ostp.ErrForeign):
		r.stats.foreign.Add(1)
		return false
	case err != nil:
		r.stats.damaged.Add(1)
		return false
	case p.SSRC != r.stream.SSRC || p.StreamID != r.stream.StreamID:
		r.stats.otherStream.Add(1)
		if r.fromSender(from) && p.SSRC != r.stream.SSRC {
			r.checkChanged()
		}
		return false
	case !r.fromSender(from):
		r.stats.foreign.Add(1)
		return false
	case ostp.PayloadType(p.PayloadType).Canonical() != r.stream.Codec.Canonical():
		r.stats.odd.Add(1)
		return false
	case r.wrongSize(len(p.Payload)):
		r.stats.damaged.Add(1)
		return false
	}
	if trailer != ostp.TrailerStandard {
		r.stats.tolerated.Add(1)
	}
	if !r.count(p, len(b), at) {
		return false
	}
	if r.started.Load() {
		r.pushing.Lock()
		r.config.Sink.Push(p, at)
		r.pushing.Unlock()
	}
	return true
}

// fromSender reports whether a datagram came from the sender's address.
func (r *Receiver) fromSender(from netip.AddrPort) bool {
	return from.Addr().Unmap().WithZone("") == r.stream.Origin.Unmap().WithZone("")
}

// wrongSize reports whether a payload cannot be a packet of the stream: PCM has
// one size.
func (r *Receiver) wrongSize(n int) bool {
	switch r.stream.Codec.Canonical() {
	case ostp.PayloadType(codec.PCM16):
		return n != r.stream.Frames*r.stream.Channels*2
	case ostp.PayloadType(codec.PCM24):
		return n != r.stream.Frames*r.stream.Channels*3
	}
	return n == 0
}

// How far a sequence may be from the highest (RFC 3550, appendix A.1).
const (
	maxDropout  = 3000
	maxMisorder = 1000
)

// follow takes a sequence number in. One far from all others is believed when the
// next one follows it: the sender was away, or we were.
func (r *Receiver) follow(number uint32) bool {
	s := &r.stats
	sequence := r.unwrap.Near(number)
	ahead := sequence - s.highest.Load()
	switch {
	case !s.counting || number == s.afterLeap && (ahead <= -maxMisorder || ahead >= maxDropout):
		sequence = r.unwrap.Unwrap(number)
		s.counting, s.base, s.expectedBefore, s.receivedSince = true, sequence, 0, 0
		s.highest.Store(sequence)
	case ahead <= -maxMisorder || ahead >= maxDropout:
		s.afterLeap = number + 1
		return false
	case ahead > 0:
		r.unwrap.Unwrap(number)
		s.highest.Store(sequence)
	}
	return true
}

// count keeps RFC 3550's statistics. It reports false for a packet that is too far
// from the others to be true.
func (r *Receiver) count(p *ostp.Packet, size int, at timebase.Local) bool {
	s := &r.stats
	r.pushing.Lock()
	defer r.pushing.Unlock()
	if !r.follow(p.Sequence()) {
		s.implausible.Add(1)
		return false
	}
	s.packets.Add(1)
	s.bytes.Add(uint64(size))
	s.receivedSince++
	transit := int64(at)*timebase.Rate/int64(time.Second) - int64(p.Timestamp)
	if s.lastTransit != 0 {
		d := math.Abs(float64(int32(transit - s.lastTransit)))
		s.jitter += (d - s.jitter) / 16
	}
	s.lastTransit = transit
	s.lastMedia.Store(int64(at))
	s.lastRTP.Store(int64(p.Timestamp))
	return true
}

// loss returns the share lost since the last call, of 256, the sum of losses, the
// jitter, and how many packets should have come since the last call.
func (r *Receiver) loss() (fraction uint8, lost uint32, jitter uint32, interval int64) {
	r.pushing.Lock()
	defer r.pushing.Unlock()
	s := &r.stats
	if !s.counting {
		return 0, 0, 0, 0
	}
	expected := s.highest.Load() + 1 - s.base
	interval = expected - s.expectedBefore
	missing := max(0, interval-s.receivedSince)
	s.expectedBefore, s.receivedSince = expected, 0
	s.lost.Add(missing)
	if interval > 0 {
		fraction = uint8(min(255, missing*256/interval))
	}
	return fraction, uint32(s.lost.Load()), uint32(s.jitter), interval
}

// readReports reads the sender's reports.
func (r *Receiver) readReports(conn *udp.Conn) {
	buf := make([]byte, control.MaxSize+1)
	for {
		n, from, _, err := conn.Read(buf)
		if err != nil {
			if r.ctx.Err() != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
			continue
		}
		r.takeReport(buf[:n], from)
	}
}

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
	byCopy, tolerated                   atomic.Uint64
	lastMedia, highest, lost, lastRTP   atomic.Int64
	lastSR                              atomic.Int64
	jitter                              float64 // under pushing
	lastTransit                         int64
	base, expectedBefore, receivedSince int64
}

// Counters is what a receiver has counted.
type Counters struct {
	Packets     uint64 `json:"packets"`      // of the stream, also doubled ones
	Bytes       uint64 `json:"bytes"`        //
	Damaged     uint64 `json:"damaged"`      // wrong CRC or cut off
	Foreign     uint64 `json:"foreign"`      // no OSTP at all, or from elsewhere
	OtherStream uint64 `json:"other_stream"` // OSTP of another SSRC or stream_id on this group
	UnknownType uint64 `json:"unknown_type"` // payload types we do not play
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
		OtherStream: s.otherStream.Load(), UnknownType: s.odd.Load(), Tolerated: s.tolerated.Load(), Copies: s.byCopy.Load(),
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
			r.takeReport(buf[:n])
			continue
		}
		if r.take(&p, buf[:n], from, at) && conn == r.copy {
			r.stats.byCopy.Add(1)
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
		if from.Addr().Unmap() == r.stream.Origin.WithZone("") && p.SSRC != r.stream.SSRC {
			r.checkChanged()
		}
		return false
	case ostp.PayloadType(p.PayloadType).Canonical() != r.stream.Codec.Canonical():
		r.stats.odd.Add(1)
		return false
	}
	if trailer != ostp.TrailerStandard {
		r.stats.tolerated.Add(1)
	}
	r.count(p, len(b), at)
	if r.started.Load() {
		r.pushing.Lock()
		r.config.Sink.Push(p, at)
		r.pushing.Unlock()
	}
	return true
}

// count keeps RFC 3550's statistics.
func (r *Receiver) count(p *ostp.Packet, size int, at timebase.Local) {
	s := &r.stats
	s.packets.Add(1)
	s.bytes.Add(uint64(size))
	r.pushing.Lock()
	defer r.pushing.Unlock()
	sequence := r.unwrap.Unwrap(p.Sequence())
	if s.base == 0 {
		s.base = sequence
		s.highest.Store(sequence - 1)
	}
	if sequence > s.highest.Load() {
		s.highest.Store(sequence)
	}
	s.receivedSince++
	transit := int64(at)*timebase.Rate/int64(time.Second) - int64(p.Timestamp)
	if s.lastTransit != 0 {
		d := math.Abs(float64(int32(transit - s.lastTransit)))
		s.jitter += (d - s.jitter) / 16
	}
	s.lastTransit = transit
	s.lastMedia.Store(int64(at))
	s.lastRTP.Store(int64(p.Timestamp))
}

// loss returns the share lost since the last call, of 256, and the sum of losses.
func (r *Receiver) loss() (fraction uint8, lost uint32, jitter uint32) {
	r.pushing.Lock()
	defer r.pushing.Unlock()
	s := &r.stats
	expected := s.highest.Load() + 1 - s.base
	interval := expected - s.expectedBefore
	missing := max(0, interval-s.receivedSince)
	s.expectedBefore, s.receivedSince = expected, 0
	s.lost.Add(missing)
	if interval > 0 {
		fraction = uint8(min(255, missing*256/interval))
	}
	return fraction, uint32(s.lost.Load()), uint32(s.jitter)
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
		if from.Addr().Unmap() == r.stream.Origin.WithZone("") {
			r.takeReport(buf[:n])
		}
	}
}

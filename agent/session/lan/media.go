package lan

import (
	"errors"
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
	telling sync.Mutex
	told    uint32 // datagrams that left the clock socket, as the kernel counts them

	// Of the goroutine that asks for the time.
	client   clockmsg.Client
	asked    [64]request
	scratch  [clockmsg.Size]byte
	answered timebase.Local // when an answer last came
	doubted  timebase.Local // since when the gateway is quiet and does not answer; 0: it is not
	inVain   int            // times that it was asked since

	requests, answers                  atomic.Uint64
	packets, bytes                     atomic.Uint64
	damaged, foreign, otherStream, odd atomic.Uint64
	byCopy, tolerated, implausible     atomic.Uint64
	byGroup                            atomic.Uint64 // since the last report
	lastMedia, highest, lost, lastRTP  atomic.Int64
	lastSR                             atomic.Int64
	fraction                           atomic.Int64 // lost of the last report's packets, of 256
	changed                            atomic.Bool  // another stream comes from the sender
	base, received, jitter             atomic.Int64 // jitter: RTP ticks × 16

	// Of the goroutine that drains.
	lastTransit int64
	counting    bool
	afterLeap   uint32 // the sequence that would prove the last leap

	// Of watch.
	baseBefore, expectedBefore, receivedBefore int64
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

const (
	batchSize  = 16
	maxBatches = 8 // in one go, so that a flood cannot hold the audio thread up
)

// drain reads what has arrived on both media sockets.
func (r *Receiver) drain() {
	r.drainOne(r.copy, &r.stats.byCopy)
	if r.group != nil {
		r.drainOne(r.group, &r.stats.byGroup)
	}
}

func (r *Receiver) drainOne(b *udp.Batch, came *atomic.Uint64) {
	for n, more := 0, true; more && n < maxBatches; n++ {
		more = b.Receive() == batchSize
		for i := range b.Len() {
			data, from, at := b.At(i)
			if r.take(&r.packet, data, from, at) {
				came.Add(1)
			}
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
		if r.fromLeader(from) && p.SSRC != r.stream.SSRC {
			r.stats.changed.Store(true)
		}
		return false
	case !r.fromLeader(from) && !r.fromStandBy(from):
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
	r.config.Sink.Push(p, at)
	return true
}

// wrongSize reports whether a payload cannot be a packet of the stream: PCM has
// one size.
func (r *Receiver) wrongSize(n int) bool {
	switch r.stream.Codec.Canonical() {
	case ostp.PCM16:
		return n != r.stream.Frames*r.stream.Channels*2
	case ostp.PCM24:
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
		s.counting = true
		s.base.Store(sequence)
		s.received.Store(0)
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
	if !r.follow(p.Sequence()) {
		s.implausible.Add(1)
		return false
	}
	s.packets.Add(1)
	s.bytes.Add(uint64(size))
	s.received.Add(1)
	transit := int64(at)*timebase.Rate/int64(time.Second) - int64(p.Timestamp)
	if s.lastTransit != 0 {
		d := int64(int32(transit - s.lastTransit))
		s.jitter.Add(max(d, -d) - (s.jitter.Load()+8)>>4)
	}
	s.lastTransit = transit
	s.lastMedia.Store(int64(at))
	s.lastRTP.Store(int64(p.Timestamp))
	return true
}

// loss returns the share lost since the last call, of 256, the sum of losses, the
// jitter, and how many packets should have come since the last call.
func (r *Receiver) loss() (fraction uint8, lost uint32, jitter uint32, interval int64) {
	s := &r.stats
	base, received := s.base.Load(), s.received.Load()
	if received == 0 {
		return 0, 0, 0, 0
	}
	if base != s.baseBefore {
		s.baseBefore, s.expectedBefore, s.receivedBefore = base, 0, 0
	}
	expected := s.highest.Load() + 1 - base
	interval = expected - s.expectedBefore
	missing := max(0, interval-(received-s.receivedBefore))
	s.expectedBefore, s.receivedBefore = expected, received
	s.lost.Add(missing)
	if interval > 0 {
		fraction = uint8(min(255, missing*256/interval))
	}
	return fraction, uint32(s.lost.Load()), uint32(s.jitter.Load() >> 4), interval
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

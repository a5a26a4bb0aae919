package inspect

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// Ends are the addresses of a datagram; both zero where they are not known.
type Ends struct{ From, To netip.AddrPort }

// StreamID is what tells streams apart: a relay's copies are others than what it got,
// and NACKs and parity count their own sequences.
type StreamID struct {
	Ends     Ends
	SSRC     uint32
	StreamID uint16
	Kind     Kind // Media, FEC or NACK
}

// Stream is what was seen of one.
type Stream struct {
	StreamID
	PayloadType uint8 // of the latest packet
	Packets     int   // with a good CRC, duplicates included
	Lost        int64 // between the first and the highest sequence
	Reordered   int   // came after one with a higher sequence
	Duplicates  int
	BadCRC      int
	Tolerated   int           // CRC good by another reading than the standard
	Duration    time.Duration // by the capture's clock, first packet to last
	Media       time.Duration // by the media timestamps, likewise
	bytes       int64         // of all packets but the latest
	latest      int
	first, last time.Time
	sequence    ostp.Unwrapper
	media       ostp.Unwrapper
	lowest      int64
	highest     int64
	atHighest   int64 // media time there, in ticks
	firstMedia  int64
	unique      int64
	seen        [remembered]int64 // sequence+1, by its low bits
}

// remembered is how many sequences back a duplicate is known as one.
const remembered = 8192

// Bitrate is of the datagrams, in bits a second, by the capture's clock or, where
// there is none, by media time; 0 when too little was seen.
func (s *Stream) Bitrate() float64 {
	over := s.Duration
	if over <= 0 {
		over = s.Media
	}
	if over <= 0 {
		return 0
	}
	return float64(8*s.bytes) / over.Seconds()
}

// maxStreams bounds what a Log keeps; 64 KiB each.
const maxStreams = 1000

// Log follows the streams among datagrams. The zero value is ready.
type Log struct {
	streams  map[StreamID]*Stream
	order    []*Stream
	secret   map[Ends]bool // spoke DTLS
	Kinds    map[Kind]int  // datagrams of each
	Damaged  int           // with a bad CRC, of streams that are not known
	Untraced int           // of streams beyond the first 1000
}

// Streams returns the streams in the order of their appearance.
func (l *Log) Streams() []*Stream { return l.order }

// Add explains a datagram that was seen at a time (zero if it is not known), and
// notes what it says about its stream.
func (l *Log) Add(at time.Time, ends Ends, b []byte) Explanation {
	if l.Kinds == nil {
		l.Kinds, l.streams, l.secret = map[Kind]int{}, map[StreamID]*Stream{}, map[Ends]bool{}
	}
	e := Explain(b)
	known := ends != Ends{}
	if e.Kind == DTLS && known {
		l.secret[ends], l.secret[Ends{ends.To, ends.From}] = true, true
	}
	if l.secret[ends] && (e.badCRC || e.Kind == RTP || e.Kind == RTCP) {
		e = Explanation{Kind: Encrypted, Summary: "SRTP or SRTCP: these two spoke DTLS", Fields: e.Fields}
	}
	l.Kinds[e.Kind]++
	if e.packet != nil {
		l.follow(at, ends, &e, len(b))
	}
	return e
}

func (l *Log) follow(at time.Time, ends Ends, e *Explanation, size int) {
	id := StreamID{Ends: ends, SSRC: e.packet.SSRC, StreamID: e.packet.StreamID, Kind: e.Kind}
	s := l.streams[id]
	switch {
	case e.badCRC && s == nil:
		l.Damaged++
		return
	case e.badCRC:
		s.BadCRC++
		return
	case s == nil && len(l.order) >= maxStreams:
		l.Untraced++
		return
	case s == nil:
		s = &Stream{StreamID: id, first: at}
		l.streams[id] = s
		l.order = append(l.order, s)
		e.Notes = append(e.Notes, "first of its stream")
	}
	if e.Problem != "" && e.Kind == Media {
		s.Tolerated++
	}
	s.bytes, s.latest = s.bytes+int64(s.latest), size
	s.last, s.Duration = at, at.Sub(s.first)
	s.PayloadType = e.packet.PayloadType
	if note := s.count(e.packet); note != "" {
		e.Notes = append(e.Notes, note)
	}
}

// count takes a packet's place in the sequence in, and says what is odd about it.
func (s *Stream) count(p *ostp.Packet) (note string) {
	sequence, media := s.sequence.Unwrap(p.Sequence()), s.media.Unwrap(p.MediaTimestamp)
	if s.Packets++; s.Packets == 1 {
		s.lowest, s.highest, s.firstMedia, s.atHighest = sequence, sequence, media, media
	}
	place := &s.seen[uint64(sequence)%remembered]
	switch {
	case *place == sequence+1:
		s.Duplicates++
		return "duplicate"
	case sequence < s.highest:
		s.Reordered++
		note = fmt.Sprintf("late: after seq %d", uint32(s.highest))
	case sequence > s.highest+1:
		note = fmt.Sprintf("gap: seq %d–%d missing (%d); media goes on after %s", uint32(s.highest+1), uint32(sequence-1),
			sequence-s.highest-1, ticks(media-s.atHighest))
	}
	*place = max(*place, sequence+1)
	if sequence >= s.highest {
		s.highest, s.atHighest = sequence, media
	}
	s.lowest = min(s.lowest, sequence)
	s.unique++
	s.Lost = max(0, s.highest-s.lowest+1-s.unique)
	s.Media = ticks(s.atHighest - s.firstMedia)
	return note
}

// ticks turns 48 kHz ticks into time.
func ticks(n int64) time.Duration {
	return time.Duration(float64(n) / timebase.Rate * float64(time.Second)).Round(time.Microsecond)
}

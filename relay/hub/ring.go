package hub

import (
	"bytes"
	"sync/atomic"
)

const (
	ringSlots   = 512  // packets kept of a source: 10 s of 20 ms, 2.5 s of 5 ms
	ringPacket  = 2048 // bytes; a longer packet is not kept
	askAgain    = 100  // ms after which a source is asked for the same again
	ringRounded = 128  // a slot's room grows by so much at a time
)

// ring keeps a source's latest packets as they came. Writing and reading never
// wait: who finds a slot busy does without it.
type ring struct {
	ssrc  uint32
	from  uint16 // stream_id
	slots [ringSlots]slot
	asked [ringSlots]atomic.Int64 // what the source was asked for: ms, and sequence + 1 in the low 17 bits
	head  atomic.Uint32           // highest sequence, 32 bits
	began atomic.Bool
}

// slot is one packet.
type slot struct {
	busy     atomic.Bool
	used     bool
	sequence uint32
	packet   []byte
}

// keep stores a packet; again tells that the very same one is there already.
func (r *ring) keep(sequence uint32, packet []byte) (again bool) {
	if !r.began.Load() || int32(sequence-r.head.Load()) > 0 {
		r.head.Store(sequence)
		r.began.Store(true)
	}
	s := &r.slots[sequence%ringSlots]
	if len(packet) > ringPacket || !s.busy.CompareAndSwap(false, true) {
		return false
	}
	defer s.busy.Store(false)
	if s.used && s.sequence == sequence && bytes.Equal(s.packet, packet) {
		return true
	}
	if cap(s.packet) < len(packet) {
		s.packet = make([]byte, 0, (len(packet)+ringRounded-1)/ringRounded*ringRounded)
	}
	s.used, s.sequence, s.packet = true, sequence, append(s.packet[:0], packet...)
	return false
}

// find appends the packet of the sequence whose low half this is to dst. known is
// false when no such packet can be expected: it is not among the latest.
func (r *ring) find(dst []byte, low uint16) (packet []byte, found, known bool) {
	head := r.head.Load()
	sequence := head - uint32(uint16(head)-low)
	if !r.began.Load() || uint16(head)-low >= ringSlots {
		return dst, false, false
	}
	s := &r.slots[sequence%ringSlots]
	if !s.busy.CompareAndSwap(false, true) {
		return dst, false, false // it is being replaced
	}
	defer s.busy.Store(false)
	if !s.used || s.sequence != sequence {
		return dst, false, true
	}
	return append(dst, s.packet...), true, true
}

// ask reports whether the source may be asked for this sequence: it has not been, or
// a while ago, and either that or the answer got lost.
func (r *ring) ask(low uint16, now int64) bool {
	a, ms := &r.asked[low%ringSlots], now/1e6
	last := a.Load()
	if same := last&(1<<17-1) == int64(low)+1; same && ms-last>>17 < askAgain {
		return false
	}
	return a.CompareAndSwap(last, ms<<17|(int64(low)+1))
}

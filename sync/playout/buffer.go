package playout

import "github.com/tutti-audio/tutti/ostp"

// Verdict is what became of a packet that was pushed.
type Verdict int

// What can become of a packet.
const (
	Stored Verdict = iota
	Duplicate
	Late  // its turn is over
	Early // further ahead than the buffer reaches
	Full  // the buffer holds as many bytes as it may
	verdicts
)

// maxBuffered bounds what strangers can make a buffer hold, in bytes.
const maxBuffered = 8 << 20

// jitterBuffer holds packets by their 32-bit sequence until they are due. It
// copies payloads into slots that are reused, so that it stops allocating once
// each slot has seen a packet of the usual size.
type jitterBuffer struct {
	slots   []slot // length is a power of two
	unwrap  ostp.Unwrapper
	next    int64 // the sequence that is due; meaningful once started
	highest int64
	count   int
	bytes   int
	started bool
}

type slot struct {
	sequence int64
	media    int64
	payload  []byte
	set      bool
	fresh    bool // the first of a talk-spurt
}

func newJitterBuffer(packets int) *jitterBuffer {
	size := 64
	for size < packets {
		size *= 2
	}
	return &jitterBuffer{slots: make([]slot, size)}
}

func (b *jitterBuffer) slot(sequence int64) *slot {
	return &b.slots[sequence&int64(len(b.slots)-1)]
}

// push stores a packet whose media time is already unwrapped.
func (b *jitterBuffer) push(sequence32 uint32, media int64, fresh bool, payload []byte) Verdict {
	sequence := b.unwrap.Near(sequence32)
	if b.count == 0 && !b.started {
		sequence = b.unwrap.Unwrap(sequence32)
		b.highest = sequence
	}
	reach := int64(len(b.slots))
	s := b.slot(sequence)
	switch {
	case b.started && sequence < b.next, sequence <= b.highest-reach:
		return Late
	case b.started && sequence >= b.next+reach:
		return Early
	case s.set && s.sequence == sequence:
		return Duplicate
	case b.bytes+len(payload) > maxBuffered:
		return Full
	}
	b.drop(s) // one that was never due, a whole buffer ago
	*s = slot{sequence: sequence, media: media, payload: append(s.payload[:0], payload...), set: true, fresh: fresh}
	b.count++
	b.bytes += len(payload)
	b.unwrap.Unwrap(sequence32)
	b.highest = max(b.highest, sequence)
	return Stored
}

func (b *jitterBuffer) drop(s *slot) {
	if s.set {
		s.set = false
		b.count--
		b.bytes -= len(s.payload)
	}
}

// due returns the packet whose turn it is, or nil.
func (b *jitterBuffer) due() *slot {
	if s := b.slot(b.next); s.set && s.sequence == b.next {
		return s
	}
	return nil
}

// pop takes the due packet out and moves on.
func (b *jitterBuffer) pop() {
	b.drop(b.slot(b.next))
	b.next++
}

// earliest returns the first packet from sequence from on, or nil.
func (b *jitterBuffer) earliest(from int64) *slot {
	if b.count == 0 {
		return nil
	}
	for n := max(from, b.highest-int64(len(b.slots))+1); n <= b.highest; n++ {
		if s := b.slot(n); s.set && s.sequence == n {
			return s
		}
	}
	return nil
}

// start makes s the due packet.
func (b *jitterBuffer) start(s *slot) { b.next, b.started = s.sequence, true }

// clear forgets everything but the memory.
func (b *jitterBuffer) clear() {
	for i := range b.slots {
		b.slots[i].set = false
	}
	b.unwrap = ostp.Unwrapper{}
	b.count, b.bytes, b.started, b.next, b.highest = 0, 0, false, 0, 0
}

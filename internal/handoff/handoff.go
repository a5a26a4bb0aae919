// Package handoff carries packets from a goroutine that may wait to the audio thread,
// which may not: without locks, and without allocation in steady state.
package handoff

import (
	"sync/atomic"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// Size is how many packets may wait: 256 of 1 ms ride out a quarter of a second.
const Size = 256

// Ring carries packets from one writer to one reader. Its slots keep their memory.
// The zero value is ready.
type Ring struct {
	slots      [Size]Packet
	head, tail atomic.Uint64 // next to write, next to read
	dropped    atomic.Uint64
}

// Packet is what the reader needs of a packet.
type Packet struct {
	Sequence, Media uint32
	Fresh           bool // the first of a talk-spurt
	Arrived         timebase.Local
	Payload         []byte
}

// Push copies a packet in; when the ring is full it is dropped.
func (r *Ring) Push(p *ostp.Packet, arrived timebase.Local) {
	head := r.head.Load()
	if head-r.tail.Load() == Size {
		r.dropped.Add(1)
		return
	}
	s := &r.slots[head%Size]
	s.Sequence, s.Media, s.Fresh, s.Arrived = p.Sequence(), p.MediaTimestamp, p.Marker, arrived
	s.Payload = append(s.Payload[:0], p.Payload...)
	r.head.Store(head + 1)
}

// Peek returns the oldest packet, or nil; it is valid until Pop.
func (r *Ring) Peek() *Packet {
	tail := r.tail.Load()
	if tail == r.head.Load() {
		return nil
	}
	return &r.slots[tail%Size]
}

// Pop takes the oldest packet out.
func (r *Ring) Pop() { r.tail.Add(1) }

// Dropped counts packets that found the ring full.
func (r *Ring) Dropped() uint64 { return r.dropped.Load() }

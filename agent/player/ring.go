package player

import (
	"sync/atomic"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// ringSize is how many packets may wait for the audio thread: 256 of 1 ms ride
// out a quarter of a second.
const ringSize = 256

// packetRing carries packets from one writer to one reader without locks. Slots
// keep their memory.
type packetRing struct {
	slots      [ringSize]queued
	head, tail atomic.Uint64 // next to write, next to read
	dropped    atomic.Uint64
}

type queued struct {
	sequence, media uint32
	fresh           bool
	arrived         timebase.Local
	payload         []byte
}

func newPacketRing() *packetRing { return &packetRing{} }

func (r *packetRing) push(p *ostp.Packet, arrived timebase.Local) {
	head := r.head.Load()
	if head-r.tail.Load() == ringSize {
		r.dropped.Add(1)
		return
	}
	s := &r.slots[head%ringSize]
	s.sequence, s.media, s.fresh, s.arrived = p.Sequence(), p.MediaTimestamp, p.Marker, arrived
	s.payload = append(s.payload[:0], p.Payload...)
	r.head.Store(head + 1)
}

// peek returns the oldest packet, or nil; it is valid until pop.
func (r *packetRing) peek() *queued {
	tail := r.tail.Load()
	if tail == r.head.Load() {
		return nil
	}
	return &r.slots[tail%ringSize]
}

func (r *packetRing) pop() { r.tail.Add(1) }

// newest carries the newest value from one writer to one reader without locks:
// of three slots the writer has one, the reader one, and one is between them.
type newest[T any] struct {
	slots          [3]T
	middle         atomic.Uint32 // index of the slot between; isNew: not seen yet
	writer, reader uint32
}

const isNew = 4

func newNewest[T any]() *newest[T] { return &newest[T]{writer: 1, reader: 2} }

func (n *newest[T]) set(v T) {
	n.slots[n.writer] = v
	n.writer = n.middle.Swap(n.writer|isNew) &^ isNew
}

// get returns the newest value, or nil when the reader has seen it.
func (n *newest[T]) get() *T {
	if n.middle.Load()&isNew == 0 {
		return nil
	}
	n.reader = n.middle.Swap(n.reader) &^ isNew
	return &n.slots[n.reader]
}

package player

import "sync/atomic"

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

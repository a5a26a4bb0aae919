package handoff

import (
	"sync"
	"testing"

	"github.com/tutti-audio/tutti/ostp"
)

// TestRing: packets come out as they went in, and a full ring counts what it drops.
func TestRing(t *testing.T) {
	r := &Ring{}
	const all = 20000
	var reader sync.WaitGroup
	reader.Go(func() {
		for next := uint32(0); next < all; {
			q := r.Peek()
			if q == nil {
				continue
			}
			if q.Sequence != next || len(q.Payload) != int(next%50) {
				t.Errorf("packet %d has sequence %d and %d bytes", next, q.Sequence, len(q.Payload))
				return
			}
			next++
			r.Pop()
		}
	})
	for n := uint32(0); n < all; {
		p := ostp.Packet{Payload: make([]byte, n%50)}
		p.SetSequence(n)
		before := r.Dropped()
		if r.Push(&p, 0); r.Dropped() == before {
			n++
		}
	}
	reader.Wait()
	r = &Ring{}
	for range Size + 3 {
		r.Push(&ostp.Packet{}, 0)
	}
	if d := r.Dropped(); d != 3 {
		t.Errorf("%d dropped, want 3", d)
	}
}

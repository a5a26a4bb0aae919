package discovery

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Browser keeps finding instances of its types until it is closed.
type Browser struct {
	node   *Node
	types  []string
	events chan Event
	wake   chan struct{}
	stop   chan struct{}
	done   chan struct{}
	once   sync.Once

	mu      sync.Mutex
	entries map[place]Entry
	pending map[place]Event // told by the engine, not yet delivered
	order   []place         // of pending
}

func newBrowser(n *Node, types []string) *Browser {
	return &Browser{
		node: n, types: types,
		events: make(chan Event), wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
		entries: map[place]Entry{}, pending: map[place]Event{},
	}
}

// Events delivers what changes, beginning with an Added event for each instance
// that is known already. Changes to one entry that nobody has received yet become
// one event, so that a slow reader costs no memory. Close closes the channel.
func (b *Browser) Events() <-chan Event { return b.events }

// Entries returns all complete entries now, ordered by instance, type and link.
func (b *Browser) Entries() []Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]Entry, 0, len(b.entries))
	for _, e := range b.entries {
		out = append(out, e.clone())
	}
	slices.SortFunc(out, func(x, y Entry) int {
		return strings.Compare(x.Instance+"\x00"+x.Type+"\x00"+x.Interface, y.Instance+"\x00"+y.Type+"\x00"+y.Interface)
	})
	return out
}

// note takes an event over from the engine. It never waits.
func (b *Browser) note(at place, ev Event) {
	if !slices.ContainsFunc(b.types, func(t string) bool { return strings.EqualFold(t, ev.Entry.Type) }) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if ev.Kind == Removed {
		delete(b.entries, at)
	} else {
		b.entries[at] = ev.Entry
	}
	old, waiting := b.pending[at]
	if merged, ok := merge(old, waiting, ev); ok {
		b.pending[at] = merged
		if !waiting {
			b.order = append(b.order, at)
		}
	} else {
		delete(b.pending, at)
		b.order = slices.DeleteFunc(b.order, func(p place) bool { return p == at })
	}
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// refresh notes that an entry was heard again and has not changed otherwise.
func (b *Browser) refresh(at place, entry Entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.entries[at]; ok {
		b.entries[at] = entry
	}
}

// merge joins an event with one of the same entry that was not delivered yet;
// false means that nothing is left to deliver.
func merge(old Event, waiting bool, ev Event) (Event, bool) {
	switch {
	case !waiting:
	case old.Kind == Added && ev.Kind == Removed:
		return Event{}, false
	case old.Kind == Added:
		ev.Kind = Added
	case old.Kind == Removed && ev.Kind == Added:
		ev.Kind = Updated
	}
	return ev, true
}

// run delivers events until the browser is closed.
func (b *Browser) run() {
	defer close(b.done)
	defer close(b.events)
	for {
		ev, ok := b.take()
		if !ok {
			select {
			case <-b.wake:
				continue
			case <-b.stop:
				return
			}
		}
		select {
		case b.events <- ev:
		case <-b.stop:
			return
		}
	}
}

// take returns the next event to deliver.
func (b *Browser) take() (Event, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.order) == 0 {
		return Event{}, false
	}
	at := b.order[0]
	ev := b.pending[at]
	b.order = b.order[1:]
	delete(b.pending, at)
	ev.Entry = ev.Entry.clone()
	return ev, true
}

// Close ends browsing and waits. It may be called more than once.
func (b *Browser) Close() {
	b.once.Do(func() {
		b.node.do(func(e *engine) { e.removeBrowser(b.node.now(), b) })
		close(b.stop)
	})
	<-b.done
}

// addBrowser starts a browser, beginning with what is known.
func (e *engine) addBrowser(now time.Time, b *Browser) {
	e.browsers = append(e.browsers, b)
	for _, f := range e.found.all {
		if f.entry != nil {
			b.note(f.place, Event{Kind: Added, Entry: *f.entry})
		}
	}
	e.want(now)
}

// removeBrowser ends a browser, and queries for types that no other one has.
func (e *engine) removeBrowser(now time.Time, b *Browser) {
	e.browsers = slices.DeleteFunc(e.browsers, func(x *Browser) bool { return x == b })
	e.want(now)
}

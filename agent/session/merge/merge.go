// Package merge plays one stream that comes by several paths at once, so that a
// path can be changed without a gap: the new one runs before the old one ends.
//
// What must not be doubled is not: the player's jitter buffer knows packets by their
// 32-bit sequence, and a frame is due by media time, whichever path brought it. What
// differs between paths is the idea of house time. On the LAN it is exchanged with
// the sender, to the microsecond; by other paths it is what the quickest packets tell
// (sync/arrival), later by the length of the way. So one path, the preferred one, is
// the reference, and when another becomes it, playout is led over to that one's time
// at a rate that nobody hears (offset.Follower).
//
// A [Path] is the sink of one session; sessions do not know of each other. All
// methods are safe for concurrent use, except that Push belongs to the drain.
package merge

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tutti-audio/tutti/internal/handoff"
	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/control"
	"github.com/tutti-audio/tutti/ostp/describe"
	"github.com/tutti-audio/tutti/sync/offset"
	"github.com/tutti-audio/tutti/sync/playout"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// Sink is what a merged stream feeds: the player.
type Sink interface {
	Start(f playout.Format, drain func()) error
	Push(p *ostp.Packet, arrived timebase.Local)
	SetClock(offset.Estimate)
	Stop()
	Report(r *control.Receiver, s *describe.Stream) (presented timebase.Local)
	// Sync returns when a drain that was running has returned.
	Sync()
}

// ErrOther says that a path brings something else than what plays.
var ErrOther = errors.New("this path brings the stream in another format")

// Merge is one stream. Make it with New.
type Merge struct {
	sink   Sink
	now    func() timebase.Local
	drains atomic.Pointer[[]func()]
	latest atomic.Uint64 // sequence of the newest packet, with known set
	began  atomic.Int64  // when the sound began, or went on after it had broken off, local; 0: never
	behind atomic.Uint64 // local time, in frames, minus what is due then, with known set
	end    uint32        // of the newest packet, in the stream's time; belongs to the drain

	mu        sync.Mutex
	format    playout.Format
	paths     []*Path // that have started
	reference *Path
	follower  offset.Follower
	leading   bool // playout is on its way to the reference's time
	changes   int
}

// New returns a stream without paths; now reads the local clock.
func New(sink Sink, now func() timebase.Local) *Merge {
	m := &Merge{sink: sink, now: now}
	m.drains.Store(&[]func(){})
	return m
}

// Path is one of the ways that the stream comes by.
type Path struct {
	merge    *Merge
	exact    bool
	drain    func()
	queue    handoff.Ring
	packet   ostp.Packet
	estimate offset.Estimate
}

// NewPath returns a path, which does nothing until it is started. exact says that its
// house time is the sender's, not one that is a way behind it.
func (m *Merge) NewPath(exact bool) *Path { return &Path{merge: m, exact: exact} }

// Start begins to play by the path; the first starts the player. drain, if not nil, is
// called once in each of the audio thread's rounds; it calls Push and never waits.
func (p *Path) Start(f playout.Format, drain func()) error {
	m := p.merge
	m.mu.Lock()
	defer m.mu.Unlock()
	p.drain = p.pull
	if drain != nil {
		p.drain = drain
	}
	if len(m.paths) > 0 {
		if f.Codec != m.format.Codec {
			return ErrOther
		}
		m.add(p)
		return nil
	}
	m.format = f
	m.add(p)
	m.refer(p)
	if err := m.sink.Start(f, m.drain); err != nil {
		m.remove(p)
		return err
	}
	return nil
}

// add and remove keep what the audio thread drains. Callers hold mu.
func (m *Merge) add(p *Path) {
	m.paths = append(m.paths, p)
	m.publish()
}

func (m *Merge) remove(p *Path) {
	m.paths = slices.DeleteFunc(m.paths, func(o *Path) bool { return o == p })
	m.publish()
}

func (m *Merge) publish() {
	drains := make([]func(), 0, len(m.paths))
	for _, p := range m.paths {
		drains = append(drains, p.drain)
	}
	m.drains.Store(&drains)
}

func (m *Merge) drain() {
	for _, drain := range *m.drains.Load() {
		drain()
	}
}

// Queue takes a packet from a session that has a goroutine of its own for that.
func (p *Path) Queue(packet *ostp.Packet, arrived timebase.Local) { p.queue.Push(packet, arrived) }

// pull hands the player what was queued.
func (p *Path) pull() {
	for q := p.queue.Peek(); q != nil; q = p.queue.Peek() {
		p.packet.SetSequence(q.Sequence)
		p.packet.MediaTimestamp, p.packet.Marker, p.packet.Payload = q.Media, q.Fresh, q.Payload
		p.Push(&p.packet, q.Arrived)
		p.queue.Pop()
	}
}

// Latest returns the sequence of the newest packet that came by any path. ok is false
// before the first.
func (p *Path) Latest() (sequence uint32, ok bool) {
	v := p.merge.latest.Load()
	return uint32(v), v&known != 0
}

// Push hands a packet to the player, within a drain.
func (p *Path) Push(packet *ostp.Packet, arrived timebase.Local) {
	latest, ok := p.Latest()
	if sequence := packet.Sequence(); !ok || int32(sequence-latest) > 0 {
		p.merge.latest.Store(uint64(sequence) | known)
	}
	p.merge.hear(packet, arrived)
	p.merge.sink.Push(packet, arrived)
}

// SetClock takes the path's newest idea of house time.
func (p *Path) SetClock(e offset.Estimate) {
	m := p.merge
	m.mu.Lock()
	defer m.mu.Unlock()
	p.estimate = e
	if m.reference == p {
		m.lead(false)
	}
}

// Leap makes the path's time hold at once, if it is the reference: for when so much
// comes late that a jump is less than what it ends.
func (p *Path) Leap(e offset.Estimate) {
	m := p.merge
	m.mu.Lock()
	defer m.mu.Unlock()
	p.estimate = e
	if m.reference == p {
		m.follower.Set(e)
		m.tell(e, m.now())
	}
}

// Prefer makes the path the reference, once it has started.
func (p *Path) Prefer() {
	m := p.merge
	m.mu.Lock()
	defer m.mu.Unlock()
	if slices.Contains(m.paths, p) {
		m.refer(p)
	}
}

// Stop takes the path out of the stream; when it returns, its drain will not be
// called again. What it has brought is played. Without any path the player stops.
func (p *Path) Stop() {
	m := p.merge
	m.mu.Lock()
	if !slices.Contains(m.paths, p) {
		m.mu.Unlock()
		return
	}
	m.remove(p)
	last := len(m.paths) == 0
	switch {
	case last:
		m.reference, m.follower, m.leading = nil, offset.Follower{}, false
	case m.reference == p:
		m.refer(m.paths[0])
	}
	m.mu.Unlock()
	if last {
		m.sink.Stop()
		m.began.Store(0)
		return
	}
	m.sink.Sync()
}

// Report fills in what the player presents, and returns when.
func (p *Path) Report(r *control.Receiver, s *describe.Stream) (presented timebase.Local) {
	return p.merge.sink.Report(r, s)
}

// Changes counts how often another path became the reference.
func (m *Merge) Changes() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changes
}

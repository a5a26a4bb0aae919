// Package player is the audio thread: it owns one sound device and one
// playout.Engine and moves frames from the one to the other.
//
// Everything else reaches the thread without making it wait: packets by a function
// that drains the session's sockets into a ring, clock estimates through a slot that keeps the newest,
// rare commands through a channel, and what it has to say through a snapshot
// that it publishes only when nobody reads at that moment. In steady state the
// thread neither allocates nor locks nor logs.
//
// The device is opened by the thread and, when it vanishes, opened again with a
// growing pause; packets that come meanwhile are dropped and playout takes up
// where the house is by then. A [Player] has one goroutine; its methods are safe
// for concurrent use, except Push, which belongs to one caller at a time.
package player

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-audio/tutti/agent/output"
	"github.com/tutti-audio/tutti/internal/handoff"
	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/sync/offset"
	"github.com/tutti-audio/tutti/sync/playout"
	"github.com/tutti-audio/tutti/sync/servo"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// Output is what the player needs of a sound device; see output.Device for the
// meaning of each method.
type Output interface {
	Format() output.Format
	Write(at timebase.Card, pcm []float32) (frames int, err error)
	Position() (output.Position, error)
	Close() error
}

// Config is what a player is made of.
type Config struct {
	Open    func() (Output, error) // called by the audio thread, also after a loss
	Clock   *hostclock.Clock
	Log     *slog.Logger
	Volume  int // 0 to 100
	Muted   bool
	Mapping playout.ChannelMap
	Trim    time.Duration
	// CardPPM is what is remembered of the card's crystal, and CardSigma the
	// standard deviation of that; 0 and 0: nothing.
	CardPPM, CardSigma float64
}

// Player plays. Make it with New.
type Player struct {
	config   Config
	packets  handoff.Ring
	estimate *newest[offset.Estimate]
	commands chan func(*thread)
	closing  atomic.Bool
	turns    atomic.Uint64 // of the audio thread
	done     chan struct{}

	mu       sync.Mutex
	snapshot Status
}

// New starts a player.
func New(c Config) *Player {
	p := &Player{
		config: c, estimate: newNewest[offset.Estimate](), commands: make(chan func(*thread), 16), done: make(chan struct{}),
	}
	go p.run()
	return p
}

// Push hands a packet of the present stream over; the payload is copied.
// arrived is when it reached this host.
func (p *Player) Push(packet *ostp.Packet, arrived timebase.Local) { p.packets.Push(packet, arrived) }

// SetClock hands the newest estimate of house time over. It is called from one
// goroutine.
func (p *Player) SetClock(e offset.Estimate) { p.estimate.set(e) }

// Start begins a stream; what was playing ends. The audio thread calls drain, if
// it is not nil, once in each of its rounds, so that packets need nobody else's
// waking up: drain pushes what has arrived and never blocks.
func (p *Player) Start(f playout.Format, drain func()) error {
	var err error
	if !p.wait(func(t *thread) { err = t.start(f, drain) }) {
		return context.Canceled
	}
	return err
}

// Stop ends the stream. When it returns, drain will not be called again.
func (p *Player) Stop() {
	p.wait(func(t *thread) {
		t.drain = nil
		t.engine.Stop()
	})
}

// Sync returns when the audio thread has begun another round: what it was doing in the
// one before, such as a drain, is over.
func (p *Player) Sync() { p.wait(func(*thread) {}) }

// wait has the thread run a command and reports whether it did.
func (p *Player) wait(command func(*thread)) bool {
	ran := make(chan struct{})
	if !p.do(func(t *thread) { command(t); close(ran) }) {
		return false
	}
	select {
	case <-ran:
		return true
	case <-p.done:
		return false
	}
}

// SetAnchor ties the stream to house time anew.
func (p *Player) SetAnchor(a servo.Anchor) { p.do(func(t *thread) { t.engine.SetAnchor(a) }) }

// SetVolume sets volume (0 to 100) and mute.
func (p *Player) SetVolume(volume int, muted bool) {
	p.do(func(t *thread) {
		t.volume, t.muted = volume, muted
		t.engine.SetVolume(volume, muted)
	})
}

// SetTrim makes this speaker play later (above 0) or earlier.
func (p *Player) SetTrim(trim time.Duration) {
	p.do(func(t *thread) {
		t.trim = trim
		t.engine.SetTrim(trim)
	})
}

// SetChannelMap chooses which channels are played.
func (p *Player) SetChannelMap(m playout.ChannelMap) {
	p.do(func(t *thread) { t.engine.SetChannelMap(m) })
}

func (p *Player) do(command func(*thread)) bool {
	select {
	case p.commands <- command:
		return true
	case <-p.done:
		return false
	}
}

// Status returns the latest snapshot, at most a tenth of a second old while the
// thread is well.
func (p *Player) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.snapshot
	s.Dropped = p.packets.Dropped()
	return s
}

// Turns returns how often the audio thread has come round. It moves as long as the
// thread is well, also while there is no device or nothing to play; when it stands
// still, the thread is stuck.
func (p *Player) Turns() uint64 { return p.turns.Load() }

// Close stops the thread, closes the device and waits for both.
func (p *Player) Close() error {
	p.closing.Store(true)
	<-p.done
	return nil
}

// run is the audio thread.
func (p *Player) run() {
	defer close(p.done)
	runtime.LockOSThread() // never unlocked: the raised thread ends with the goroutine
	t := newThread(p)
	t.realTime = hostclock.RaiseThread()
	for !p.closing.Load() {
		if !t.ensureOpen() {
			continue
		}
		t.turn()
		p.turns.Add(1)
	}
	t.closeDevice()
}

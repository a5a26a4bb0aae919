package remote

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/codec"
	"github.com/tutti-audio/tutti/ostp/control"
	"github.com/tutti-audio/tutti/ostp/describe"
	"github.com/tutti-audio/tutti/ostp/fec"
	"github.com/tutti-audio/tutti/ostp/line"
	"github.com/tutti-audio/tutti/sync/arrival"
	"github.com/tutti-audio/tutti/sync/offset"
	"github.com/tutti-audio/tutti/sync/playout"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const (
	pollEvery = time.Second // for a source to describe its stream
)

// Path is what a receiver feeds: a path of the merged stream.
type Path interface {
	Start(f playout.Format, drain func()) error
	Queue(p *ostp.Packet, arrived timebase.Local)
	SetClock(offset.Estimate)
	Leap(offset.Estimate)
	Young(timebase.Local) bool
	Latest() (sequence uint32, ok bool)
	Stop()
	Report(r *control.Receiver, s *describe.Stream) (presented timebase.Local)
}

// Transport brings a stream's packets and takes requests for more.
type Transport interface {
	Write(b []byte) error
	RoundTrip() time.Duration // 0: not known
	Done() <-chan struct{}
	Err() error
	Close() error
}

// ReceiverConfig is what a receiver is made of.
type ReceiverConfig struct {
	Member *Member // who knows the stream's description
	// Open opens the way that the packets come by; hear is called with each of them,
	// by one goroutine at a time.
	Open  func(ctx context.Context, hear func(b []byte, at timebase.Local)) (Transport, error)
	Clock *hostclock.Clock
	Path  Path
	ID    string // of this speaker, in its reports
	SSRC  uint32 // likewise
	// Claim, if not nil, is asked whether the stream of this SSRC is the one to play.
	Claim func(ssrc uint32) bool
	// Known, if not nil, is the stream that plays by another way: it is begun with at
	// once, and the description makes sure of it later.
	Known *describe.Stream
	// Hold, if not nil, says how long packets are to wait at least, besides two round
	// trips; it may change.
	Hold func() time.Duration
}

// Receiver hears one stream by a relay until that ends or Close is called.
type Receiver struct {
	config ReceiverConfig
	way    Transport
	stop   func() // following the member's lines
	stream describe.Stream
	ready  atomic.Bool // stream is known
	tags   atomic.Pointer[describe.Tags]
	news   chan struct{} // the description is another
	lost   chan struct{} // something is to be asked for
	gone   chan struct{} // something was given up

	mu      sync.Mutex // of what follows; the reading goroutine holds it briefly
	gaps    gaps
	clock   arrival.Clock
	goal    offset.Estimate // by which playout is to go: the clock, later by what packets wait
	buffer  buffer
	decoder fec.Decoder
	media   ostp.Unwrapper
	packet  ostp.Packet
	counts  Counters
	started bool
	closed  bool
	told    timebase.Local // when the path was last told the time
	parity  timebase.Local // when parity last came
	last    timebase.Local // when media last came
	opened  timebase.Local // when the way was opened
	nudged  timebase.Local // when the relay was last spoken to because none came
	before  loss

	ctx    context.Context
	cancel context.CancelCauseFunc
	wait   sync.WaitGroup
}

// Join opens the way and waits until a source plays on the channel.
func Join(ctx context.Context, c ReceiverConfig) (*Receiver, error) {
	r := &Receiver{config: c, news: make(chan struct{}, 1), lost: make(chan struct{}, 1), gone: make(chan struct{}, 1)}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	r.stop = c.Member.Follow(r.follow)
	var err error
	if r.way, err = c.Open(r.ctx, r.hear); err != nil {
		r.stop()
		r.cancel(err)
		return nil, err
	}
	if err := r.begin(); err != nil {
		r.cancel(err)
		_ = r.Close()
		return nil, err
	}
	r.opened = c.Clock.Now()
	context.AfterFunc(c.Member.ctx, func() { r.cancel(c.Member.Err()) })
	r.wait.Go(r.watch)
	r.wait.Go(r.chase)
	r.wait.Go(r.report)
	return r, nil
}

// begin learns what stream it is.
func (r *Receiver) begin() (err error) {
	stream := r.config.Known
	if stream != nil {
		r.follow(line.Description{})
	} else if stream, err = r.describe(); err != nil {
		return err
	}
	if _, err := codec.NewDecoder(decoderFor(stream)); err != nil {
		return err
	}
	if r.config.Claim != nil && !r.config.Claim(stream.SSRC) {
		return ErrChanged
	}
	r.mu.Lock()
	r.stream = *stream
	r.gaps.packet = timebase.Media(stream.Frames).Duration()
	r.buffer.device = queue(stream.Latency)
	r.mu.Unlock()
	r.tags.Store(&stream.Tags)
	r.ready.Store(true)
	return nil
}

// decoderFor says how the stream's payloads are read.
func decoderFor(s *describe.Stream) codec.Params {
	return codec.Params{Type: s.Codec.Canonical(), Channels: s.Channels, Frames: s.Frames, Bits: s.Bits}
}

// describe waits for a description.
func (r *Receiver) describe() (*describe.Stream, error) {
	for {
		s, err := r.config.Member.fetch(r.ctx)
		if !errors.Is(err, errNone) {
			return s, err
		}
		select {
		case <-r.ctx.Done():
			return nil, context.Cause(r.ctx)
		case <-r.config.Member.Done():
			return nil, r.config.Member.Err()
		case <-r.way.Done():
			return nil, r.way.Err()
		case <-r.news:
		case <-time.After(pollEvery):
		}
	}
}

// follow takes in what the relay says.
func (r *Receiver) follow(l line.Line) {
	if _, ok := l.(line.Description); ok {
		poke(r.news)
	}
}

// watch follows the description, and ends the receiver when the stream is another.
func (r *Receiver) watch() {
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-r.way.Done():
			r.cancel(r.way.Err())
			return
		case <-r.news:
		}
		s, err := r.config.Member.fetch(r.ctx)
		switch {
		case err != nil:
		case s.SSRC != r.stream.SSRC || s.Epoch != r.stream.Epoch:
			r.cancel(ErrChanged)
		default:
			r.tags.Store(&s.Tags)
		}
	}
}

// hear takes one datagram in; it belongs to the reading goroutine.
func (r *Receiver) hear(b []byte, at timebase.Local) {
	if !r.ready.Load() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	p := &r.packet
	if err := ostp.ParsePacket(p, b); err != nil {
		r.counts.Damaged++
		return
	}
	kind := ostp.PayloadType(p.PayloadType).Canonical()
	ssrc := p.SSRC
	if kind == ostp.FEC {
		ssrc = ^ssrc
	}
	if ssrc != r.stream.SSRC || p.StreamID != r.stream.StreamID {
		r.counts.OtherStream++
		if ssrc != r.stream.SSRC {
			r.follow(line.Description{})
		}
		return
	}
	r.counts.Packets++
	r.counts.Bytes += uint64(len(b))
	r.last = at
	switch kind {
	case r.stream.Codec.Canonical():
		r.accept(p, at, false)
		if at.Sub(r.parity) < time.Second {
			r.recovered(r.decoder.AddData(p), at)
		}
	case ostp.FEC:
		r.parity = at
		r.counts.Parity++
		if found, err := r.decoder.AddParity(p); err == nil {
			r.recovered(found, at)
		}
	default:
		r.counts.UnknownType++
	}
}

func (r *Receiver) recovered(found []ostp.Packet, at timebase.Local) {
	for i := range found {
		r.counts.Recovered++
		r.accept(&found[i], at, true)
	}
}

// accept hands a packet on, whether it came or was recovered. Callers hold mu.
func (r *Receiver) accept(p *ostp.Packet, at timebase.Local, recovered bool) {
	missing := len(r.gaps.missing)
	if !r.gaps.any { // what other paths have not brought, this one may
		if latest, ok := r.config.Path.Latest(); ok && p.Sequence()-latest < mostMissing {
			r.gaps.note(latest, at, at, false)
		}
	}
	sent, turn := r.stream.HouseAt(timebase.Media(r.media.Near(p.MediaTimestamp))), at
	if r.clock.Packets() > 0 {
		turn = at.Add(-r.clock.HouseAt(at).Sub(sent))
	}
	repaired := r.gaps.note(p.Sequence(), turn, at, recovered)
	if len(r.gaps.missing) > missing {
		poke(r.lost)
	}
	if !repaired && !recovered {
		r.media.Unwrap(p.MediaTimestamp)
		r.buffer.came(r.clock.Add(sent, at), at)
	}
	r.config.Path.Queue(p, at)
	r.tellTime(at)
}

// poke wakes who waits for c.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Close closes the way and waits.
func (r *Receiver) Close() error {
	r.cancel(context.Canceled)
	r.stop()
	r.mu.Lock() // the path hears nothing more from here on
	r.closed = true
	r.mu.Unlock()
	err := r.way.Close()
	r.wait.Wait()
	r.config.Path.Stop()
	return err
}

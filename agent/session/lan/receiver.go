package lan

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/internal/udp"
	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/codec"
	"github.com/tutti-audio/tutti/ostp/control"
	"github.com/tutti-audio/tutti/ostp/describe"
	"github.com/tutti-audio/tutti/sync/course"
	"github.com/tutti-audio/tutti/sync/offset"
	"github.com/tutti-audio/tutti/sync/playout"
	"github.com/tutti-audio/tutti/sync/servo"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// Sink is what a receiver feeds: the player. It calls drain, which reads what has
// arrived and calls Push, from one goroutine until Stop has returned. SetClock is
// called by one goroutine at a time.
type Sink interface {
	Start(f playout.Format, drain func()) error
	Push(p *ostp.Packet, arrived timebase.Local)
	SetClock(offset.Estimate)
	Stop()
	// Report fills in what the speaker presents and how it is, but for the house's time of
	// that, and returns the instant of it, or 0.
	Report(r *control.Receiver, s *describe.Stream) (presented timebase.Local)
}

// ReceiverConfig is what a receiver is made of.
type ReceiverConfig struct {
	Source    string // host:port of the sender's HTTP
	Interface string // to receive on; empty: the one that leads to the sender
	ID, Name  string // of this speaker
	SSRC      uint32 // of this speaker's reports
	Tolerant  bool   // accept the CRCs of senders that read the draft differently
	Clock     *hostclock.Clock
	Sink      Sink
	Log       *slog.Logger
	// Claim, if not nil, is asked whether the stream of this SSRC is the one to play.
	Claim func(ssrc uint32) bool
}

// Reasons for which a receiver ends by itself.
var (
	ErrGoodbye = errors.New("the sender has ended the stream")
	ErrChanged = errors.New("the sender has begun another stream")
	ErrSilent  = errors.New("the sender has fallen silent")
	ErrMoved   = errors.New("this host's way to the sender has changed")
)

// Receiver plays one stream until that ends or Close is called.
type Receiver struct {
	config ReceiverConfig
	stream describe.Stream
	local  netip.Addr // where we receive
	stats  receiverStats

	leader   atomic.Pointer[leader]
	standing atomic.Bool // this speaker takes over when the gateway dies
	dead     atomic.Bool // and it has
	clock    *udp.Batch

	legs   sync.Mutex // guards course, and changes of leader
	course course.Course

	reports *udp.Conn  // nil where multicast cannot be joined
	group   *udp.Batch // likewise; read by the sink's goroutine
	copy    *udp.Batch // for a copy of our own; likewise
	packet  ostp.Packet
	unwrap  ostp.Unwrapper

	started    atomic.Bool // Sink.Start has been called
	subscribed atomic.Bool // a copy of our own is wanted
	asking     atomic.Bool // and just being asked for
	askedAt    atomic.Int64
	refused    rateLimited
	healthy    time.Duration // multicast was well for so long, while there is a copy
	giveUp     time.Duration
	estimate   atomic.Pointer[offset.Estimate]
	tags       atomic.Pointer[describe.Tags]

	cancel context.CancelCauseFunc
	ctx    context.Context
	wait   sync.WaitGroup
}

// Join fetches the description and joins the stream.
func Join(ctx context.Context, c ReceiverConfig) (*Receiver, error) {
	stream, err := Fetch(ctx, c.Source)
	if err != nil {
		return nil, err
	}
	if _, err := codec.NewDecoder(decoderFor(stream)); err != nil {
		return nil, err
	}
	if c.Claim != nil && !c.Claim(stream.SSRC) {
		return nil, ErrChanged
	}
	if from, err := netip.ParseAddrPort(c.Source); err == nil && stream.Origin.IsLinkLocalUnicast() {
		stream.Origin = stream.Origin.WithZone(from.Addr().Zone())
	}
	r := &Receiver{config: c, stream: *stream, giveUp: giveUpSoon}
	r.tags.Store(&stream.Tags)
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	if err := r.open(); err != nil {
		r.Close()
		return nil, err
	}
	r.wait.Go(r.exchange)
	if r.reports != nil {
		r.wait.Go(func() { r.readReports(r.reports) })
	}
	r.wait.Go(r.watch)
	context.AfterFunc(r.ctx, r.closeReports)
	return r, nil
}

// decoderFor says how the stream's payloads are read.
func decoderFor(s *describe.Stream) codec.Params {
	return codec.Params{Type: s.Codec.Canonical(), Channels: s.Channels, Frames: s.Frames, Bits: s.Bits}
}

// open makes the sockets. Multicast may fail: then a copy is asked for.
func (r *Receiver) open() error {
	ifi, local, err := r.way()
	if err != nil {
		return err
	}
	r.local = local
	l, err := newLeader(r.stream.Origin, r.stream.Clock, r.config.Source, r.stream.Term)
	if err != nil {
		return err
	}
	r.leader.Store(l)
	if r.stream.Term != 0 {
		r.course.Add(r.stream.Leg)
	}
	if r.clock, err = r.listen(0, udp.Options{Sent: true}, control.MaxSize+1); err != nil {
		return fmt.Errorf("cannot open a socket for the time: %w", err)
	}
	if r.copy, err = r.listen(0, udp.Options{}, ostp.MaxPacket+1); err != nil {
		return fmt.Errorf("cannot open a socket for media: %w", err)
	}
	options := udp.Options{Group: r.stream.Group, Interface: ifi}
	if r.group, err = r.listen(r.stream.Port, options, ostp.MaxPacket+1); err == nil {
		r.reports, err = udp.Listen(netip.AddrPortFrom(local, r.stream.RTCP), options, r.config.Clock)
	}
	if err != nil {
		r.config.Log.Warn("multicast cannot be joined", "error", err)
	}
	return nil
}

// listen opens a socket for datagrams of up to size bytes.
func (r *Receiver) listen(port uint16, o udp.Options, size int) (*udp.Batch, error) {
	conn, err := udp.Listen(netip.AddrPortFrom(r.local, port), o, r.config.Clock)
	if err != nil {
		return nil, err
	}
	return conn.Batch(batchSize, size)
}

// way returns the interface to receive on and this host's address there.
func (r *Receiver) way() (*net.Interface, netip.Addr, error) {
	if r.config.Interface != "" {
		return udp.Multicast(r.config.Interface)
	}
	if l := r.leader.Load(); l != nil && l.origin != r.stream.Origin.Unmap().WithZone("") {
		return udp.InterfaceTo(l.origin)
	}
	return udp.InterfaceTo(r.stream.Origin)
}

// moved reports whether that is another address now. While there is none, the
// network is down, and may come back as it was.
func (r *Receiver) moved() bool {
	_, local, err := r.way()
	return err == nil && local != r.local
}

// closeReports ends what may be waiting for a datagram.
func (r *Receiver) closeReports() {
	if r.reports != nil {
		r.reports.Close()
	}
}

// Close leaves the stream and waits.
func (r *Receiver) Close() error {
	if r.clock != nil && r.ctx.Err() == nil {
		if b, err := control.AppendGoodbye(nil, r.config.SSRC); err == nil {
			r.tell(b)
		}
	}
	r.cancel(context.Canceled)
	r.closeReports()
	r.wait.Wait()
	if r.started.Load() {
		r.config.Sink.Stop()
	}
	for _, b := range []*udp.Batch{r.clock, r.group, r.copy} {
		if b != nil {
			_ = b.Close()
		}
	}
	return nil
}

// Done is closed when the receiver has ended.
func (r *Receiver) Done() <-chan struct{} { return r.ctx.Done() }

// Err says why it ended.
func (r *Receiver) Err() error { return context.Cause(r.ctx) }

// Stream returns the stream's description with the present tags.
func (r *Receiver) Stream() describe.Stream {
	s := r.stream
	s.Tags = *r.tags.Load()
	return s
}

// Unicast reports whether a copy of our own was asked for.
func (r *Receiver) Unicast() bool { return r.subscribed.Load() }

// Way returns how well the stream comes: how long ago its last packet did, whether
// one ever has, and the share that was lost of late.
func (r *Receiver) Way() (idle time.Duration, playing bool, loss float64) {
	last := timebase.Local(r.stats.lastMedia.Load())
	if last == 0 {
		return 0, false, 0
	}
	return r.config.Clock.Now().Sub(last), true, float64(r.stats.fraction.Load()) / 256
}

// Clock returns the newest estimate of house time.
func (r *Receiver) Clock() offset.Estimate {
	if e := r.estimate.Load(); e != nil {
		return *e
	}
	return offset.Estimate{}
}

// begin starts the player once the house's time is known well.
func (r *Receiver) begin(e offset.Estimate, now timebase.Local) {
	media := r.stream.MediaAt(r.streamTime(e, now).HouseAt(now))
	err := r.config.Sink.Start(playout.Format{
		Codec: decoderFor(&r.stream), Latency: r.stream.Latency,
		Anchor: servo.Anchor{House: r.stream.HouseAt(media), Media: media},
	}, r.drain)
	if err != nil {
		r.cancel(err)
		return
	}
	r.started.Store(true)
}

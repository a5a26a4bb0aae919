package lan

import (
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/transport/v5/replaydetector"

	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/control"
	"github.com/tutti-audio/tutti/ostp/describe"
	"github.com/tutti-audio/tutti/sync/course"
	"github.com/tutti-audio/tutti/sync/offset"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// GatewayConfig is what a gateway is made of.
type GatewayConfig struct {
	Stream    describe.Stream // as its source describes it
	Interface string          // to send from; empty: the first that can
	HTTP      uint16          // port that Handler is served on
	Clock     *hostclock.Clock
	Log       *slog.Logger
}

// Gateway passes a stream that comes from outside on to a house, packet by packet as
// they come, and is the clock of the house meanwhile. How the stream's time runs
// against that clock is a course of its own (sync/course), which it tells in its
// reports: rooms are aligned by the one and bend together by the other.
//
// While nobody listens nothing is sent: multicast costs a wireless network dear. Who
// fetches the description wakes it. Until [Gateway.Begin] it only stands by: its ports
// are open, and nothing is answered.
// All methods are safe for concurrent use.
type Gateway struct {
	outlet

	own   atomic.Uint32 // SSRC of this host's own reports
	awake atomic.Int64  // until when somebody may begin to listen, local

	mu      sync.Mutex
	term    uint32
	leaving bool
	course  course.Course
	standBy control.StandBy
	until   time.Time // until when it stands by, unless it says so again

	passing sync.Mutex // guards what follows
	seen    replaydetector.ReplayDetector
	packet  []byte
}

// Reign is what passes from a gateway to the one that takes over.
type Reign struct {
	Term  uint32
	Clock offset.Estimate // the house's clock, by this host's; zero: this host's own
	Legs  []course.Leg
}

// recent is how many packets back one that comes twice is known.
const recent = 2048

// NewGateway opens the ports of a gateway that does nothing yet.
func NewGateway(c GatewayConfig) (*Gateway, error) {
	g := &Gateway{packet: make([]byte, 0, ostp.MaxPacket), seen: replaydetector.WithWrap(recent, math.MaxUint32)}
	g.outlet = outlet{
		ifi: c.Interface, clock: c.Clock, log: c.Log, receivers: newReceivers(), quit: make(chan struct{}), tell: make(chan struct{}, 1),
		stream: c.Stream, leg: g.legAt, said: g.state, heard: g.Heard,
	}
	g.stream.HTTP = c.HTTP
	g.SetTags(Tags{Tags: c.Stream.Tags})
	if err := g.open(netip.AddrPort{}, 0); err != nil {
		return nil, err
	}
	return g, nil
}

// Begin takes charge of the house. What another gateway was in charge of goes on as it
// was: its clock, by what this host knows of it, and its course.
func (g *Gateway) Begin(r Reign) {
	now := g.clock.Now()
	house := &houseClock{origin: now, house: timebase.House(g.clock.Wall())}
	if r.Clock.Samples > 0 {
		house = &houseClock{origin: now, house: r.Clock.HouseAt(now), drift: r.Clock.Drift}
	}
	g.mu.Lock()
	g.term = r.Term + 1
	g.stream.Term = g.term
	for _, l := range r.Legs {
		g.course.Add(l)
	}
	g.mu.Unlock()
	g.house.Store(house)
	if r.Clock.Samples > 0 { // those of the one before listen
		g.wake()
	}
	g.wait.Go(g.answer)
	g.wait.Go(g.report)
}

// Lead steers the stream's time in the house towards goal, by this host's clock, and
// returns what this host itself is to play by.
func (g *Gateway) Lead(goal offset.Estimate) offset.Estimate {
	house, l := g.house.Load(), g.clock.Now()
	now := house.at(l)
	g.mu.Lock()
	_, fresh := g.course.Steer(now, course.Leg{From: now, Stream: goal.HouseAt(l), Drift: (1+goal.Drift)/(1+house.drift) - 1})
	e := offset.Known(l, now, house.drift, goal.Samples, 0).Along(&g.course, l)
	g.mu.Unlock()
	if fresh {
		g.announce()
	}
	return e
}

// announce has a report sent at once.
func (g *Gateway) announce() {
	select {
	case g.tell <- struct{}{}:
	default:
	}
}

// Forward passes a packet on, unless it has been.
func (g *Gateway) Forward(p *ostp.Packet) {
	g.passing.Lock()
	defer g.passing.Unlock()
	accept, ok := g.seen.Check(uint64(p.Sequence()))
	if !ok {
		return
	}
	accept()
	if !g.Heard() {
		return
	}
	b, err := ostp.AppendPacket(g.packet[:0], p)
	if err != nil {
		return
	}
	g.packet = b
	g.send(b)
}

// Report files this host's own report beside those of the other speakers; presented is
// when what it presents was at the output, 0: nothing was.
func (g *Gateway) Report(r control.Receiver, presented timebase.Local) {
	g.own.Store(r.SSRC)
	if presented != 0 {
		r.PresentedAt = g.house.Load().at(presented)
	}
	g.receivers.report(netip.AddrPortFrom(*g.origin.Load(), g.answers.Port()), r, time.Now())
}

// Heard reports whether anybody but this host listens, or is about to.
func (g *Gateway) Heard() bool {
	return g.clock.Now() < timebase.Local(g.awake.Load()) || g.receivers.others(g.own.Load())
}

// wake is for somebody who is about to listen.
func (g *Gateway) wake() { g.awake.Store(int64(g.clock.Now().Add(leaseTime))) }

func (g *Gateway) legAt(h timebase.House) course.Leg {
	g.mu.Lock()
	defer g.mu.Unlock()
	l, _ := g.course.At(h)
	return l
}

// Term counts up with each gateway that takes over from another.
func (g *Gateway) Term() uint32 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.term
}

// ClockPort is where it answers time requests, once it is in charge.
func (g *Gateway) ClockPort() uint16 { return g.answers.Port() }

// HTTPPort is where its Handler is served.
func (g *Gateway) HTTPPort() uint16 { return g.stream.HTTP }

// Packets counts what was passed on.
func (g *Gateway) Packets() uint64 { return g.sentPackets.Load() }

// state is what reports say besides.
func (g *Gateway) state() *control.Gateway {
	g.mu.Lock()
	defer g.mu.Unlock()
	return &control.Gateway{Term: g.term, Leaving: g.leaving, Legs: g.course.Latest(nil, control.MaxLegs), StandBy: g.standingBy(time.Now())}
}

// StandBy returns who takes over when this gateway dies; its address is not valid when
// nobody does.
func (g *Gateway) StandBy() control.StandBy {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.standingBy(time.Now())
}

func (g *Gateway) standingBy(now time.Time) control.StandBy {
	if now.After(g.until) {
		return control.StandBy{}
	}
	return g.standBy
}

// pathStandBy is where a speaker offers to stand by.
const pathStandBy = "/v1/standby"

const (
	standByFor   = 5 * time.Second // without being offered again
	standByAgain = 2 * time.Second
)

// Offer is a speaker's, to stand by: where its clock and its description will be, on
// the address that its TCP connection comes from.
type Offer struct {
	Clock uint16 `json:"clock"`
	HTTP  uint16 `json:"http"`
}

// Handler serves what a sender's does, and takes offers to stand by.
func (g *Gateway) Handler() http.Handler {
	serve := g.handler()
	serve.HandleFunc("POST "+pathStandBy, g.serveStandBy)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.house.Load() == nil {
			http.Error(w, "this speaker only stands by", http.StatusServiceUnavailable)
			return
		}
		g.wake()
		serve.ServeHTTP(w, r)
	})
}

func (g *Gateway) serveStandBy(w http.ResponseWriter, r *http.Request) {
	var offer Offer
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err == nil {
		err = json.NewDecoder(http.MaxBytesReader(w, r.Body, 1024)).Decode(&offer)
	}
	if err == nil && (offer.Clock < 1024 || offer.HTTP < 1024) {
		err = errors.New(`send {"clock": 1024 to 65535, "http": likewise}`)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	next := control.StandBy{Addr: peer.Addr().Unmap().WithZone(""), Clock: offer.Clock, HTTP: offer.HTTP}
	g.mu.Lock()
	now := time.Now()
	before := g.standingBy(now)
	taken := before.Addr.IsValid() && before != next
	if !taken {
		g.standBy, g.until = next, now.Add(standByFor)
	}
	g.mu.Unlock()
	switch {
	case taken:
		http.Error(w, "another speaker stands by", http.StatusConflict)
		return
	case before != next:
		g.log.Info("a speaker stands by to take over as gateway", "address", next.Addr)
		g.announce()
	}
	w.WriteHeader(http.StatusNoContent)
}

// Leave tells the speakers that this gateway is about to go: the stand-by takes over
// or, where nobody is to, each finds its own way. The stream goes on until Close.
func (g *Gateway) Leave(handOver bool) {
	g.mu.Lock()
	g.leaving = true
	if !handOver {
		g.until = time.Time{}
	}
	g.mu.Unlock()
	g.sendReport()
}

// Close closes the ports and waits. ended says that the stream has ended; else the
// stand-by takes over.
func (g *Gateway) Close(ended bool) {
	g.close(func() {
		switch {
		case g.house.Load() == nil:
		case ended:
			g.goodbye()
		default:
			g.Leave(true)
		}
	})
}

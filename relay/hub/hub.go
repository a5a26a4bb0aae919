// Package hub is the middle of a relay: channels, their members, and the packets
// that go from one member to all others (docs/spec, section 5).
//
// # Who is heard
//
// Whoever created a channel owns it; who knows the password for sending is a DJ;
// all others listen. One member at a time has the floor: the first that sends,
// until it was silent for two seconds. A second source meanwhile is told so and not
// heard. In a public channel without a password for sending, an owner who never
// sent, or who left, yields to the first who sends.
//
// # Who is answered
//
// Nothing is sent to a UDP address that has not proved itself by echoing a
// challenge but that challenge, and it only when it is no longer than what came.
//
// # Concurrency
//
// Each UDP socket has a worker, a goroutine with a thread of its own. Media goes
// from the socket to the members without lock and without allocation: what it
// looks up (addresses, each channel's audience) is immutable and replaced whole.
// Everything else (joining, roles, descriptions) is done under one lock, and what
// has to be said is sent after that is released. All methods of Hub are safe for
// concurrent use. Close waits for all goroutines.
//
// Times are nanoseconds of a clock that never steps (see clock), sizes bytes.
package hub

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-audio/tutti/internal/udp"
	"github.com/tutti-audio/tutti/relay/secure"
)

// maxWorkers is how many sockets serve the UDP port at the most.
const maxWorkers = 4

// Config is what a hub is made of.
type Config struct {
	Listen   netip.AddrPort // UDP
	Workers  int            // sockets; 0: one for each core, at most 4
	Settings Settings
	Log      *slog.Logger
	Now      func() int64 // monotonic, in ns; nil: this host's

	Certificate func() (*tls.Certificate, error) // for DTLS; nil: there is none
}

// Settings are what can be changed while a hub runs.
type Settings struct {
	Channels        map[string]Access
	AdmitUnproven   bool    // also serve addresses that did not prove themselves
	MaxMembers      int     // of a channel
	MaxChannels     int     // of the relay
	JoinsPerSecond  float64 // of one address
	JoinsPerNetwork float64 // of one /24 or /56, each second
	SourceBytes     int     // that a member may send each second
}

// Access is what the configuration says of a channel. Empty passwords: none.
type Access struct {
	Password     string // to listen
	SendPassword string // to send
}

// Default returns the settings of a relay without a file.
func Default() Settings {
	return Settings{MaxMembers: 1000, MaxChannels: 1000, JoinsPerSecond: 10, JoinsPerNetwork: 200, SourceBytes: 2 << 20}
}

// Hub is one relay's middle. Make it with New.
type Hub struct {
	log      *slog.Logger
	clock    *clock
	settings atomic.Pointer[Settings]
	gate     *gate
	ports    []*udp.Port
	workers  []*worker
	others   *worker // serves members that are not reached by UDP
	othersMu sync.Mutex
	members  directory
	secure   *secure.Endpoint // nil: no DTLS
	counts   counts

	mu       sync.Mutex
	channels map[string]*channel
	sessions map[string]*member
	draining bool
	moveTo   string

	quit chan struct{}
	wait sync.WaitGroup
}

// New opens the sockets and begins to serve.
func New(c Config) (*Hub, error) {
	if c.Workers <= 0 {
		c.Workers = min(runtime.NumCPU(), maxWorkers)
	}
	if c.Now == nil {
		began := time.Now()
		c.Now = func() int64 { return int64(time.Since(began)) }
	}
	ports, err := udp.ListenPorts(c.Listen, c.Workers, receiveBatch, maxDatagram)
	if err != nil {
		return nil, fmt.Errorf("relay: %w: another relay may be running, or choose another port", err)
	}
	h := &Hub{
		log: c.Log, clock: newClock(c.Now), gate: newGate(), ports: ports,
		channels: map[string]*channel{}, sessions: map[string]*member{}, quit: make(chan struct{}),
	}
	h.Apply(c.Settings)
	h.others = newWorker(h, ports[0])
	if c.Certificate != nil {
		h.secure = h.newEndpoint(c.Certificate)
	}
	for _, p := range ports {
		w := newWorker(h, p)
		h.workers = append(h.workers, w)
		h.wait.Go(w.run)
	}
	h.wait.Go(h.keepHouse)
	return h, nil
}

// Apply changes the settings. Nobody who is a member loses that by it.
func (h *Hub) Apply(s Settings) { h.settings.Store(&s) }

// LocalAddr returns the UDP address that is served.
func (h *Hub) LocalAddr() netip.AddrPort { return h.ports[0].LocalAddr() }

// Close ends the service at once and waits; Drain comes before it.
func (h *Hub) Close() error {
	close(h.quit)
	for _, p := range h.ports {
		p.Wake()
	}
	h.wait.Wait()
	if h.secure != nil {
		_ = h.secure.Close()
	}
	for _, p := range h.ports {
		_ = p.Close()
	}
	return nil
}

// closed reports whether Close was called.
func (h *Hub) closed() bool {
	select {
	case <-h.quit:
		return true
	default:
		return false
	}
}

package remote

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/internal/selfsigned"
	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/control"
	"github.com/tutti-audio/tutti/ostp/describe"
	"github.com/tutti-audio/tutti/ostp/line"
	"github.com/tutti-audio/tutti/relay"
	"github.com/tutti-audio/tutti/relay/config"
	"github.com/tutti-audio/tutti/sync/offset"
	"github.com/tutti-audio/tutti/sync/playout"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// stage is a real relay on loopback.
type stage struct {
	*testing.T
	relay    *relay.Relay
	endpoint Endpoint
	clock    *hostclock.Clock
}

func newStage(t *testing.T, secure bool) *stage {
	t.Helper()
	c := config.Default()
	c.Listen, c.Lines, c.HTTP, c.Metrics = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	c.TURN.Listen = "127.0.0.1:0"
	e := Endpoint{Host: "127.0.0.1", TLS: secure}
	if secure {
		self, err := selfsigned.New(time.Now().Add(time.Hour))
		if err == nil {
			c.TLS.Certificate, c.TLS.Key, err = self.Write(t.TempDir())
		}
		if err != nil {
			t.Fatal(err)
		}
		e.Roots = self.Trust
	}
	r, err := relay.New(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	e.UDP, e.HTTP = r.Hub().LocalAddr().Port(), uint16(r.HTTPAddr().(*net.TCPAddr).Port)
	return &stage{T: t, relay: r, endpoint: e, clock: hostclock.New(0)}
}

func (s *stage) membership(name string) Membership {
	return Membership{Relay: s.endpoint, Channel: "far/away", Name: name, Device: "device " + name, Clock: s.clock, Log: slog.New(slog.DiscardHandler)}
}

// source sends Opus of 20 ms, as fast as the test wants.
type source struct {
	*Uplink
	stream describe.Stream
	next   uint32
}

func (s *stage) source() *source {
	s.Helper()
	src := &source{stream: describe.Stream{
		Channel: "far/away", Name: "source", SSRC: 0x1234, StreamID: 5, Codec: ostp.Opus, Channels: 2, Frames: 960,
		Origin: netip.MustParseAddr("127.0.0.1"), Group: netip.MustParseAddr("239.69.0.9"), Port: 5004, RTCP: 5005, Clock: 5006, HTTP: 8401,
		Latency: 300 * time.Millisecond, Epoch: 1_763_800_000e9,
	}}
	src.Uplink = NewUplink(UplinkConfig{Membership: s.membership("source"), Stream: func() describe.Stream { return src.stream }, Told: func(line.Line) {}})
	s.Cleanup(func() { src.Close() })
	s.until("the source has joined", func() bool { return src.Status().Joined })
	return src
}

// send sends the next packet to the relay, or keeps it to itself, as a network would.
func (s *source) send(t *testing.T, lose bool) {
	p := ostp.Packet{StreamID: s.stream.StreamID, MediaTimestamp: s.next * 960, Payload: []byte{0xF8, 0xFF, 0xFE}}
	p.SSRC, p.PayloadType, p.Timestamp = s.stream.SSRC, uint8(ostp.Opus), s.next*960
	p.SetSequence(s.next)
	s.next++
	b, err := ostp.AppendPacket(nil, &p)
	if err != nil {
		t.Fatal(err)
	}
	if lose {
		s.mu.Lock()
		s.recent[sequenceOf(b)%recentPackets] = b
		s.mu.Unlock()
		return
	}
	s.Send(b)
}

// ear is a path that notes what it is given.
type ear struct {
	mu      sync.Mutex
	heard   map[uint32]bool
	started bool
	stopped bool
}

func (e *ear) Start(playout.Format, func()) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.started = true
	return nil
}

func (e *ear) Queue(p *ostp.Packet, _ timebase.Local) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.heard == nil {
		e.heard = map[uint32]bool{}
	}
	e.heard[p.Sequence()] = true
}

func (e *ear) Stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stopped = true
}

func (e *ear) SetClock(offset.Estimate)                                  {}
func (e *ear) Leap(offset.Estimate)                                      {}
func (e *ear) Young(timebase.Local) bool                                 { return false }
func (e *ear) Latest() (uint32, bool)                                    { return 0, false }
func (e *ear) Report(*control.Receiver, *describe.Stream) timebase.Local { return 0 }

// misses lists what was not heard of the packets from first to the last sent.
func (e *ear) misses(first, end uint32) (all []uint32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for n := first; n < end; n++ {
		if !e.heard[n] {
			all = append(all, n)
		}
	}
	return all
}

const patience = 20 * time.Second

func (s *stage) until(what string, is func() bool) {
	s.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			s.Fatal("not within ", patience, ": ", what)
		}
	}
}

// By UDP, DTLS-SRTP, WebSocket and WebSocket over TLS: the stream is described and
// heard, what got lost before the relay is asked for and comes, also by a second receiver
// of the same membership, and the source's report of it all arrives.
func TestWays(t *testing.T) {
	dials := map[string]func(context.Context, Membership, func([]byte, timebase.Local)) (*Member, error){"udp": Dial, "websocket": DialWeb}
	for name, dial := range dials {
		for _, secure := range []bool{false, true} {
			if secure {
				name += ", encrypted"
			}
			t.Run(name, func(t *testing.T) { hearBy(t, dial, secure) })
		}
	}
}

func hearBy(t *testing.T, dial func(context.Context, Membership, func([]byte, timebase.Local)) (*Member, error), secure bool) {
	s := newStage(t, secure)
	src := s.source()
	m, err := dial(t.Context(), s.membership("listener"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for range 2 {
		s.hearOnce(src, m)
	}
	if senders := m.Senders(); len(senders) != 1 {
		t.Errorf("senders %v, want the source", senders)
	}
	for _, c := range s.relay.Hub().Counts() {
		if c.Name == "forged_total" && c.Value > 0 {
			t.Errorf("the relay took %v packets for forged, or replayed", c.Value)
		}
	}
}

func (s *stage) hearOnce(src *source, m *Member) {
	t, e := s.T, new(ear)
	t.Helper()
	r, err := Join(t.Context(), ReceiverConfig{Member: m, Open: Relayed(m), Clock: s.clock, Path: e, ID: "listener", SSRC: 77})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Stream(); got.SSRC != src.stream.SSRC || got.Channel != "far/away" {
		t.Errorf("described as %+v", got)
	}
	s.until("sound begins", func() bool {
		src.send(t, false)
		time.Sleep(5 * time.Millisecond)
		return len(e.misses(src.next-1, src.next)) == 0
	})
	first := src.next
	for n := range 100 {
		src.send(t, n%10 == 4)
		time.Sleep(2 * time.Millisecond)
	}
	s.until("what was lost has come", func() bool {
		src.send(t, false)
		time.Sleep(5 * time.Millisecond)
		return len(e.misses(first, first+100)) == 0
	})
	s.until("the source hears of the loss", func() bool {
		src.mu.Lock()
		defer src.mu.Unlock()
		return len(src.lost) == 1
	})
	if err := r.Close(); err != nil || !e.stopped || !e.started {
		t.Errorf("closed: %v, started %v, stopped %v", err, e.started, e.stopped)
	}
}

// A relay whose certificate nobody vouches for is not spoken to.
func TestUntrusted(t *testing.T) {
	s := newStage(t, true)
	s.endpoint.Roots = nil
	if m, err := Dial(t.Context(), s.membership("listener"), nil); err == nil {
		m.Close()
		t.Error("it is")
	}
}

// A wrong password is said at once, and not tried again for ever.
func TestWrongPassword(t *testing.T) {
	s := newStage(t, false)
	right := s.membership("source")
	right.Password = "right"
	owner, err := DialSource(t.Context(), right, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	wrong := s.membership("listener")
	wrong.Password = "wrong"
	if _, err := Dial(t.Context(), wrong, nil); !errors.Is(err, ErrRefused) {
		t.Errorf("told %v", err)
	}
}

func TestParseEndpoint(t *testing.T) {
	for text, want := range map[string]Endpoint{
		"relay.example":              {Host: "relay.example", UDP: 5100, HTTP: 5102},
		"relay.example:6000":         {Host: "relay.example", UDP: 6000, HTTP: 6002},
		"[2001:db8::1]:5100":         {Host: "2001:db8::1", UDP: 5100, HTTP: 5102},
		"2001:db8::1":                {Host: "2001:db8::1", UDP: 5100, HTTP: 5102},
		"https://relay.example":      {Host: "relay.example", UDP: 5100, HTTP: 5102, TLS: true},
		"https://relay.example:443/": {Host: "relay.example", UDP: 5100, HTTP: 443, TLS: true},
	} {
		if got, err := ParseEndpoint(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "host:0", "host:99999", "ftp://host", "https://host/path", "a b"} {
		if e, err := ParseEndpoint(bad); err == nil {
			t.Errorf("%q is taken for %+v", bad, e)
		}
	}
}

// The round trip is that of the PING that was answered, also when several are out.
func TestRoundTrip(t *testing.T) {
	s := newStage(t, false)
	m, err := Dial(t.Context(), s.membership("Far"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for m.RoundTrip() == 0 {
		time.Sleep(time.Millisecond)
	}
	before := m.RoundTrip()
	m.mu.Lock()
	first := m.pinged
	m.mu.Unlock()
	m.ping()
	m.pong(first, s.clock.Now().Add(time.Minute)) // to the one before, and very late
	if m.RoundTrip() > time.Minute {
		t.Errorf("the answer to another PING made a round trip of %v out of %v", m.RoundTrip(), before)
	}
}

package peer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/sync/timebase"
)

func config() Config {
	return Config{Clock: hostclock.New(0), Log: slog.New(slog.DiscardHandler)}
}

// table passes messages on, as a relay does.
type table struct {
	source *Source
	mu     sync.Mutex
	boxes  map[string]*Inbox
}

func newTable(t *testing.T, hear func([]byte, timebase.Local, func([]byte) error)) *table {
	s := &table{boxes: map[string]*Inbox{}}
	s.source = NewSource(config(), func(to string, b []byte) error {
		s.mu.Lock()
		box := s.boxes[to]
		s.mu.Unlock()
		go box.Take("source", b)
		return nil
	}, hear)
	t.Cleanup(func() { s.source.Close() })
	return s
}

func (s *table) dial(ctx context.Context, name string, hear func([]byte, timebase.Local)) (*Conn, error) {
	box := new(Inbox)
	s.mu.Lock()
	s.boxes[name] = box
	s.mu.Unlock()
	return Dial(ctx, config(), "source", func(_ string, b []byte) error {
		go s.source.Take(name, b)
		return nil
	}, box, hear)
}

func packet(t *testing.T, n uint32) []byte {
	p := ostp.Packet{Payload: fmt.Appendf(nil, "packet %d", n)}
	p.SSRC = 9
	p.SetSequence(n)
	b, err := ostp.AppendPacket(nil, &p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Three peers hear, and are heard; a fourth is told that there is no room, and gets in
// when one has left.
func TestPeers(t *testing.T) {
	heard := make(chan string, 10)
	s := newTable(t, func(b []byte, _ timebase.Local, reply func([]byte) error) {
		heard <- string(b[24 : len(b)-4])
		_ = reply(packet(t, 1000))
	})
	var conns []*Conn
	got := make(chan string, 100)
	for i := range MaxPeers {
		c, err := s.dial(t.Context(), fmt.Sprint("listener ", i), func(b []byte, _ timebase.Local) { got <- string(b[24 : len(b)-4]) })
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	if _, err := s.dial(t.Context(), "one too many", func([]byte, timebase.Local) {}); !errors.Is(err, ErrFull) {
		t.Errorf("a fourth peer is told %v", err)
	}
	for len(s.source.Peers()) < MaxPeers {
		time.Sleep(5 * time.Millisecond)
	}
	s.source.Send(packet(t, 7))
	for range MaxPeers {
		if text := <-got; text != "packet 7" {
			t.Errorf("heard %q", text)
		}
	}
	if err := conns[0].Write(packet(t, 3)); err != nil {
		t.Fatal(err)
	}
	if text := <-heard; text != "packet 3" {
		t.Errorf("the source heard %q", text)
	}
	if text := <-got; text != "packet 1000" {
		t.Errorf("the reply is %q", text)
	}
	conns[0].Close()
	for len(s.source.Peers()) == MaxPeers {
		time.Sleep(5 * time.Millisecond)
	}
	c, err := s.dial(t.Context(), "one too many", func([]byte, timebase.Local) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range append(conns[1:], c) {
		c.Close()
	}
}

// A source that goes is noticed.
func TestSourceGone(t *testing.T) {
	s := newTable(t, func([]byte, timebase.Local, func([]byte) error) {})
	c, err := s.dial(t.Context(), "listener", func([]byte, timebase.Local) {})
	if err != nil {
		t.Fatal(err)
	}
	s.source.Close()
	<-c.Done()
	if c.Err() == nil {
		t.Error("no reason is given")
	}
	c.Close()
}

// Every message of the signalling gets lost the first time that it is sent: the two find
// each other all the same.
func TestMessagesGetLost(t *testing.T) {
	var mu sync.Mutex
	sent := map[string]bool{}
	again := func(b []byte) bool {
		mu.Lock()
		defer mu.Unlock()
		was := sent[string(b)]
		sent[string(b)] = true
		return was
	}
	box := new(Inbox)
	source := NewSource(config(), func(_ string, b []byte) error {
		if again(b) {
			go box.Take("source", b)
		}
		return nil
	}, func([]byte, timebase.Local, func([]byte) error) {})
	defer source.Close()
	c, err := Dial(t.Context(), config(), "source", func(_ string, b []byte) error {
		if again(b) {
			go source.Take("listener", b)
		}
		return nil
	}, box, func([]byte, timebase.Local) {})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// A source that does not answer is given up, with a reason.
func TestMute(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := Dial(ctx, config(), "source", func(string, []byte) error { return nil }, new(Inbox), func([]byte, timebase.Local) {})
	if !errors.Is(err, ErrMute) {
		t.Errorf("told %v", err)
	}
}

package peer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tutti-audio/tutti/sync/timebase"
)

// Source serves a stream to the peers that dial it.
type Source struct {
	config Config
	signal Signal
	hear   func(b []byte, at timebase.Local, reply func([]byte) error)

	mu     sync.Mutex
	peers  map[string]*listener // by the member's id
	ctx    context.Context
	cancel context.CancelFunc
	wait   sync.WaitGroup
}

// listener is one peer. What is to be sent waits in a queue, so that a slow one delays
// nobody.
type listener struct {
	call    *call
	queue   chan []byte
	cancel  context.CancelFunc
	up      bool
	dropped uint64
	sent    uint64
}

const queueRoom = 64 // packets

// NewSource returns a source that sends what it has to say by signal, and calls hear
// with what its peers send.
func NewSource(c Config, signal Signal, hear func(b []byte, at timebase.Local, reply func([]byte) error)) *Source {
	s := &Source{config: c, signal: signal, hear: hear, peers: map[string]*listener{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Take follows a message from the member with an id.
func (s *Source) Take(from string, payload []byte) {
	m, err := decode(payload)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.peers[from]
	switch {
	case s.ctx.Err() != nil:
	case m.Kind == "offer" && l != nil && l.call.number == m.Call:
		l.call.repeat() // what was said got lost
	case m.Kind == "offer":
		s.answer(from, m)
	case l == nil || l.call.number != m.Call:
	case m.Kind == "bye":
		l.cancel()
	default:
		l.call.take(m)
	}
}

// answer takes an offer. A member's new offer ends what it had. Callers hold mu.
func (s *Source) answer(from string, offer message) {
	before := s.peers[from]
	if before == nil && len(s.peers) >= MaxPeers {
		_ = s.signal(from, message{Kind: "full", Call: offer.Call}.encode())
		return
	}
	if before != nil {
		before.cancel()
	}
	p, err := newCall(s.config, offer.Call, false, func(m message) { _ = s.signal(from, m.encode()) })
	if err != nil {
		s.config.Log.Warn("a peer cannot be answered", "error", err)
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	l := &listener{call: p, queue: make(chan []byte, queueRoom), cancel: cancel}
	s.peers[from] = l
	s.wait.Go(func() {
		err := s.serve(ctx, l, offer)
		if errors.Is(err, ErrTURN) {
			s.config.Log.Warn("a listener cannot come straight", "peer", from, "reason", err)
		} else {
			s.config.Log.Debug("a peer has left", "peer", from, "reason", err)
		}
		cancel()
		_ = s.signal(from, message{Kind: "bye", Call: offer.Call}.encode())
		p.close()
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.peers[from] == l {
			delete(s.peers, from)
		}
	})
}

// serve connects to a peer and sends until the way or the context ends.
func (s *Source) serve(ctx context.Context, l *listener, offer message) error {
	finding, done := context.WithTimeout(ctx, findFor)
	defer done()
	if err := l.call.introduce("answer"); err != nil {
		return err
	}
	if err := l.call.connect(finding, offer); err != nil {
		return err
	}
	ended := make(chan error, 1)
	s.wait.Go(func() {
		ended <- l.call.hear(func(b []byte, at timebase.Local) { s.hear(b, at, l.call.conn.Write) })
	})
	s.mu.Lock()
	l.up = true
	s.mu.Unlock()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			return err
		case b := <-l.queue:
			if l.call.conn.Write(b) == nil {
				s.mu.Lock()
				l.sent++
				s.mu.Unlock()
			}
		}
	}
}

// Send gives each peer a packet. It never waits.
func (s *Source) Send(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kept []byte // one copy for all
	for _, l := range s.peers {
		if !l.up {
			continue
		}
		if kept == nil {
			kept = append(kept, b...)
		}
		select {
		case l.queue <- kept:
		default:
			l.dropped++
		}
	}
}

// Peer is how one peer is served.
type Peer struct {
	ID        string        `json:"id"`
	Way       string        `json:"way"`
	Cipher    string        `json:"cipher"`
	RoundTrip time.Duration `json:"round_trip_ns"`
	Sent      uint64        `json:"sent"`
	Dropped   uint64        `json:"dropped"`
}

// Peers lists those that are served now.
func (s *Source) Peers() (all []Peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, l := range s.peers {
		if l.up {
			p := Peer{ID: id, Cipher: l.call.conn.Profile(), Sent: l.sent, Dropped: l.dropped}
			p.Way, p.RoundTrip = l.call.way()
			all = append(all, p)
		}
	}
	return all
}

// Close ends all ways and waits.
func (s *Source) Close() error {
	s.cancel()
	s.wait.Wait()
	return nil
}

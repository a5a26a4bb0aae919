package peer

import (
	"context"
	"crypto/rand"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-audio/tutti/sync/arrival"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// Conn is a way to a source. It is a transport of the session that hears by it.
type Conn struct {
	call   *call
	inbox  *Inbox
	trip   atomic.Int64 // ns; 0: not known
	ctx    context.Context
	cancel context.CancelCauseFunc
	wait   sync.WaitGroup
}

// Inbox is where messages of the signalling arrive for one who dials.
type Inbox struct {
	mu   sync.Mutex
	from string
	conn *Conn
}

// Take follows a message; others' are passed over.
func (i *Inbox) Take(from string, payload []byte) {
	m, err := decode(payload)
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case err != nil || i.conn == nil || from != i.from || m.Call != i.conn.call.number:
	case m.Kind == "bye":
		i.conn.cancel(ErrBye)
	default:
		i.conn.call.take(m)
	}
}

func (i *Inbox) expect(from string, c *Conn) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.from, i.conn = from, c
}

// Dial finds a way to the source with the id, and has hear called with what comes.
// It gives up after some seconds.
func Dial(ctx context.Context, c Config, source string, signal Signal, inbox *Inbox, hear func(b []byte, at timebase.Local)) (*Conn, error) {
	looking, done := context.WithTimeout(ctx, findFor)
	defer done()
	p, err := newCall(c, rand.Text(), true, func(m message) { _ = signal(source, m.encode()) })
	if err != nil {
		return nil, err
	}
	conn := &Conn{call: p, inbox: inbox}
	conn.ctx, conn.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	inbox.expect(source, conn)
	if err := p.meet(looking); err != nil {
		inbox.expect("", nil)
		conn.cancel(err)
		p.close()
		return nil, err
	}
	conn.wait.Go(func() { conn.cancel(p.hear(hear)) })
	conn.wait.Go(conn.measure)
	return conn, nil
}

// meet offers, waits for the answer, and connects. What it says it says again until
// then.
func (p *call) meet(ctx context.Context) error {
	if err := p.introduce("offer"); err != nil {
		return err
	}
	ctx, met := context.WithCancel(ctx)
	var wait sync.WaitGroup
	wait.Go(func() { p.insist(ctx) })
	defer wait.Wait()
	defer met()
	select {
	case <-ctx.Done():
		return ErrMute
	case m := <-p.remote:
		if m.Kind == "full" {
			return ErrFull
		}
		return p.connect(ctx, m)
	}
}

// insist repeats what was said until the context ends.
func (p *call) insist(ctx context.Context) {
	tick := time.NewTicker(sayEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p.repeat()
		}
	}
}

// Write sends a packet to the source.
func (c *Conn) Write(b []byte) error { return c.call.conn.Write(b) }

// RoundTrip is the shortest of the last round trips to the source.
func (c *Conn) RoundTrip() time.Duration { return time.Duration(c.trip.Load()) }

const tripEvery = time.Second // as often as ICE asks

// measure follows the round trip until the way ends. ICE's own loop answers what it is:
// nobody who hears packets may wait for it.
func (c *Conn) measure() {
	tick := time.NewTicker(tripEvery)
	defer tick.Stop()
	var trips arrival.Trips
	for {
		if _, trip := c.call.way(); trip > 0 {
			c.trip.Store(int64(trips.Add(trip)))
		}
		select {
		case <-c.ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Way names the addresses and kinds of the two ends.
func (c *Conn) Way() string {
	what, _ := c.call.way()
	return what
}

// Done is closed when the way has ended.
func (c *Conn) Done() <-chan struct{} { return c.ctx.Done() }

// Err says why it ended.
func (c *Conn) Err() error { return context.Cause(c.ctx) }

// Close ends the way, tells the source, and waits.
func (c *Conn) Close() error {
	c.inbox.expect("", nil)
	c.call.tell(message{Kind: "bye", Call: c.call.number})
	c.cancel(context.Canceled)
	c.call.close()
	c.wait.Wait()
	return nil
}

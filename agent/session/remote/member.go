package remote

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
	"github.com/tutti-audio/tutti/ostp/line"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const (
	joinEvery  = 250 * time.Millisecond // until it is answered
	joinFor    = 5 * time.Second
	aliveEvery = 2 * time.Second
	silentFor  = 8 * time.Second // without any answer: the relay is gone
	maxPacket  = ostp.MaxPacket + 1
)

// Membership says who joins what where.
type Membership struct {
	Relay    Endpoint
	Channel  string
	Password string
	Name     string
	Device   string // id that stays the same
	Clock    *hostclock.Clock
	Log      *slog.Logger
}

// member is a membership at a relay.
type member struct {
	config  Membership
	options line.Options
	conn    *udp.Conn
	relay   netip.AddrPort
	media   func(b []byte, at timebase.Local) // of the reading goroutine
	told    func(l line.Line)                 // likewise

	mu      sync.Mutex
	id      string
	session string
	role    line.Role
	joined  chan struct{} // closed once there is a session
	once    sync.Once

	heard  atomic.Int64 // when the relay was last heard, local
	asked  atomic.Int64 // when the last PING left
	trip   atomic.Int64 // the last round trip, ns
	ctx    context.Context
	cancel context.CancelCauseFunc
	wait   sync.WaitGroup
}

// join becomes a member, or says why that cannot be. media and told are called by the
// reading goroutine, from before join returns.
func join(ctx context.Context, c Membership, o line.Options, media func([]byte, timebase.Local), told func(line.Line)) (*member, error) {
	m := &member{config: c, options: o, media: media, told: told, joined: make(chan struct{})}
	m.ctx, m.cancel = context.WithCancelCause(ctx)
	if err := m.open(); err != nil {
		m.cancel(err)
		return nil, err
	}
	m.wait.Go(m.read)
	context.AfterFunc(m.ctx, func() { m.conn.Close() })
	if err := m.ask(); err != nil {
		m.close()
		return nil, err
	}
	m.wait.Go(m.stay)
	return m, nil
}

// open resolves the relay's name and opens a socket towards it.
func (m *member) open() error {
	e := m.config.Relay
	addrs, err := net.DefaultResolver.LookupNetIP(m.ctx, "ip", e.Host)
	if err != nil {
		return fmt.Errorf("relay %s is not known: %w", e.Host, err)
	}
	for _, a := range addrs {
		a = a.Unmap()
		_, local, wayErr := udp.InterfaceTo(a)
		if wayErr != nil {
			err = wayErr
			continue
		}
		m.relay = netip.AddrPortFrom(a, e.UDP)
		if m.conn, err = udp.Listen(netip.AddrPortFrom(local, 0), udp.Options{}, m.config.Clock); err == nil {
			return nil
		}
	}
	return fmt.Errorf("no way to the relay %s: %w", e, err)
}

// ask sends JOIN until there is a session.
func (m *member) ask() error {
	timeout := time.NewTimer(joinFor)
	defer timeout.Stop()
	again := time.NewTicker(joinEvery)
	defer again.Stop()
	for {
		m.sendJoin()
		select {
		case <-m.joined:
			return nil
		case <-m.ctx.Done():
			return context.Cause(m.ctx)
		case <-timeout.C:
			return fmt.Errorf("relay %s does not answer; does its UDP port %d let this host through?", m.config.Relay, m.config.Relay.UDP)
		case <-again.C:
		}
	}
}

func (m *member) sendJoin() {
	c := m.config
	_ = m.send(line.Join{Channel: c.Channel, Password: c.Password, Name: c.Name, Device: c.Device, Options: m.options})
}

// send sends a line.
func (m *member) send(l line.Line) error {
	b, err := line.Append(nil, l)
	if err != nil {
		return err
	}
	return m.write(b)
}

func (m *member) write(b []byte) error {
	_, err := m.conn.WriteToUDPAddrPort(b, m.relay)
	return err
}

// read takes in what the relay sends.
func (m *member) read() {
	buf := make([]byte, maxPacket)
	for {
		n, from, at, err := m.conn.Read(buf)
		if err != nil {
			if m.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(10 * time.Millisecond) // such as the relay's port being closed for now
			continue
		}
		if netip.AddrPortFrom(from.Addr().Unmap().WithZone(""), from.Port()) != m.relay || n == 0 {
			continue
		}
		if buf[0]>>6 == 2 {
			m.media(buf[:n], at)
			continue
		}
		if l, err := line.Parse(buf[:n]); err == nil {
			m.heard.Store(int64(at))
			m.take(l, at)
		}
	}
}

// take follows one line.
func (m *member) take(l line.Line, at timebase.Local) {
	switch l := l.(type) {
	case line.Challenge:
		_ = m.send(l)
		m.sendJoin()
	case line.Pong:
		m.trip.Store(int64(at) - m.asked.Load())
	case line.RoleIs:
		m.mu.Lock()
		m.role = l.Role
		m.mu.Unlock()
	case line.ID:
		m.mu.Lock()
		m.id = l.ID
		m.mu.Unlock()
	case line.Session:
		m.mu.Lock()
		m.session = l.ID
		m.mu.Unlock()
		m.once.Do(func() { close(m.joined) })
	case line.Err:
		m.refused(l.Word)
	case line.Move:
		m.cancel(ErrMoved)
	}
	m.told(l)
}

// refused ends the membership where asking again is of no use. A relay that has
// forgotten this member is asked again.
func (m *member) refused(word line.Word) {
	switch word {
	case line.NotInGroup:
		m.sendJoin()
	case line.WrongPassword:
		m.cancel(fmt.Errorf("%w: the password of channel %q is another one", ErrRefused, m.config.Channel))
	case line.GroupFull, line.RelayFull, line.InvalidName, line.InvalidFormat, line.Draining, line.EmptyGroup:
		m.cancel(fmt.Errorf("%w: %s", ErrRefused, word))
	}
}

// stay keeps the membership and the way through NATs alive.
func (m *member) stay() {
	tick := time.NewTicker(aliveEvery)
	defer tick.Stop()
	m.heard.Store(int64(m.config.Clock.Now()))
	for {
		m.asked.Store(int64(m.config.Clock.Now()))
		_ = m.send(line.Ping{Text: m.config.Device})
		select {
		case <-m.ctx.Done():
			return
		case <-tick.C:
		}
		if m.config.Clock.Now().Sub(timebase.Local(m.heard.Load())) > silentFor {
			m.cancel(ErrSilent)
			return
		}
	}
}

// roundTrip is the last round trip to the relay, 0 if none is known.
func (m *member) roundTrip() time.Duration { return time.Duration(m.trip.Load()) }

// token is the session by which HTTP knows this member.
func (m *member) token() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.session
}

// close leaves the channel and waits.
func (m *member) close() {
	if m.ctx.Err() == nil {
		_ = m.send(line.Leave{Channel: m.config.Channel})
	}
	m.cancel(context.Canceled)
	m.wait.Wait()
}

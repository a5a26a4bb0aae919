package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/line"
	"github.com/tutti-audio/tutti/sync/arrival"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const (
	joinEvery  = 250 * time.Millisecond // until it is answered
	joinFor    = 5 * time.Second
	aliveEvery = 2 * time.Second
	looks      = 4                             // in that, at this host's way to the relay
	quietFor   = aliveEvery + aliveEvery/looks // without an answer: a way that this host would not take now is of no use
	silentFor  = 8 * time.Second               // without any answer: the relay is gone
	deafAfter  = 6                             // JOINs of a sender without an answer: the relay does not work
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

// Member is a membership at a relay, by UDP or WebSocket. All methods are safe for
// concurrent use.
type Member struct {
	config Membership
	link   link
	http   *http.Client

	helpers helpers

	mu      sync.Mutex
	options line.Options
	media   func(b []byte, at timebase.Local)
	told    map[int]func(line.Line)
	next    int
	id      string
	session string
	senders map[string]bool // ids of the others that may send
	joined  chan struct{}   // closed once there is a session
	once    sync.Once
	pings   int
	pinged  string         // the text of the last PING,
	asked   timebase.Local // and when it left
	trips   arrival.Trips

	heard  atomic.Int64 // when the relay was last heard, local
	trip   atomic.Int64 // the shortest of trips, ns
	unread atomic.Int32 // JOINs since one was answered
	// nacks numbers the NACKs of all receivers that share this membership: of one SSRC no
	// number may come twice, or SRTP drops it as a replay, and a key would leak.
	nacks  atomic.Uint32
	ctx    context.Context
	cancel context.CancelCauseFunc
	wait   sync.WaitGroup
}

// Dial becomes a member by UDP, or says why that cannot be. The reading goroutine
// calls media with each packet; while that is nil, none is asked for.
func Dial(ctx context.Context, c Membership, media func(b []byte, at timebase.Local)) (*Member, error) {
	return dial(ctx, c, line.Options{FEC: true, Quiet: media == nil}, media, plainOrSecure)
}

// DialWeb is Dial by WebSocket, for networks that let no UDP through.
func DialWeb(ctx context.Context, c Membership, media func(b []byte, at timebase.Local)) (*Member, error) {
	return dial(ctx, c, line.Options{Quiet: media == nil}, media, dialWeb)
}

// DialSource is Dial for one who sends.
func DialSource(ctx context.Context, c Membership, media func(b []byte, at timebase.Local)) (*Member, error) {
	return dial(ctx, c, line.Options{Send: true}, media, plainOrSecure)
}

// DialSourceWeb is DialSource by WebSocket.
func DialSourceWeb(ctx context.Context, c Membership, media func(b []byte, at timebase.Local)) (*Member, error) {
	return dial(ctx, c, line.Options{Send: true}, media, dialWeb)
}

func plainOrSecure(ctx context.Context, e Endpoint, clock *hostclock.Clock) (link, error) {
	if e.TLS {
		return dialSecure(ctx, e, clock)
	}
	return dialUDP(ctx, e, clock)
}

func dial(ctx context.Context, c Membership, o line.Options, media func([]byte, timebase.Local),
	open func(context.Context, Endpoint, *hostclock.Clock) (link, error)) (*Member, error) {
	m := &Member{config: c, options: o, media: media, told: map[int]func(line.Line){}, senders: map[string]bool{}, joined: make(chan struct{})}
	m.http = c.Relay.client()
	m.ctx, m.cancel = context.WithCancelCause(ctx)
	var err error
	if m.link, err = open(m.ctx, c.Relay, c.Clock); err != nil {
		m.cancel(err)
		return nil, err
	}
	m.wait.Go(m.read)
	context.AfterFunc(m.ctx, m.link.close)
	if err := m.ask(); err != nil {
		_ = m.Close()
		return nil, err
	}
	m.wait.Go(m.stay)
	return m, nil
}

// Hear has media called with each packet from now on; nil: the relay need not send
// any.
func (m *Member) Hear(media func(b []byte, at timebase.Local)) {
	m.mu.Lock()
	m.media = media
	changed := m.options.Quiet != (media == nil)
	m.options.Quiet = media == nil
	m.mu.Unlock()
	if changed {
		m.sendJoin()
	}
}

// Follow has told called with each line of the relay, by the reading goroutine, until
// stop is called.
func (m *Member) Follow(told func(line.Line)) (stop func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.next
	m.next++
	m.told[n] = told
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.told, n)
	}
}

// ask sends JOIN until there is a session.
func (m *Member) ask() error {
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

func (m *Member) sendJoin() {
	c := m.config
	m.mu.Lock()
	o := m.options
	m.mu.Unlock()
	m.unread.Add(1)
	_ = m.Send(line.Join{Channel: c.Channel, Password: c.Password, Name: c.Name, Device: c.Device, Options: o})
}

// Send sends a line.
func (m *Member) Send(l line.Line) error {
	b, err := line.Append(nil, l)
	if err != nil {
		return err
	}
	return m.link.write(b)
}

// Write sends a packet.
func (m *Member) Write(b []byte) error { return m.link.write(b) }

// read takes in what the relay sends.
func (m *Member) read() {
	buf := make([]byte, maxPacket)
	for {
		n, at, err := m.link.read(buf)
		if err != nil {
			if m.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				m.cancel(ErrSilent)
				return
			}
			time.Sleep(10 * time.Millisecond) // such as the relay's port being closed for now
			continue
		}
		if n > 0 && buf[0]>>6 == 2 {
			m.mu.Lock()
			media := m.media
			m.mu.Unlock()
			if media != nil {
				media(buf[:n], at)
			}
			continue
		}
		if l, err := line.Parse(buf[:n]); err == nil {
			m.heard.Store(int64(at))
			m.take(l, at)
		}
	}
}

// take follows one line.
func (m *Member) take(l line.Line, at timebase.Local) {
	switch l := l.(type) {
	case line.Challenge:
		_ = m.Send(l)
		m.sendJoin()
	case line.Pong:
		m.pong(l.Text, at)
	case line.Err:
		m.refused(l.Word)
	case line.Move:
		m.cancel(ErrMoved)
	case line.OK, line.YourAddr, line.RoleIs:
		m.unread.Store(0)
	default:
		m.note(l)
	}
	m.mu.Lock()
	told := slices.Collect(maps.Values(m.told))
	m.mu.Unlock()
	for _, f := range told {
		f(l)
	}
}

// note remembers what the relay says of this member and of others.
func (m *Member) note(l line.Line) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch l := l.(type) {
	case line.ID:
		m.id = l.ID
	case line.Member:
		m.senders[l.ID] = l.Role.Sends()
	case line.Gone:
		delete(m.senders, l.ID)
	case line.Session:
		if m.session != l.ID {
			clear(m.senders) // of another relay, or another life of it
		}
		m.session = l.ID
		m.once.Do(func() { close(m.joined) })
	}
}

// Senders returns the ids of the other members that may send.
func (m *Member) Senders() (ids []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, sends := range m.senders {
		if sends {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// refused ends the membership where asking again is of no use. A relay that has
// forgotten this member is asked again.
func (m *Member) refused(word line.Word) {
	switch word {
	case line.NotInGroup:
		m.sendJoin()
	case line.WrongPassword:
		m.cancel(fmt.Errorf("%w: the password of channel %q is another one", ErrRefused, m.config.Channel))
	case line.GroupFull, line.RelayFull, line.InvalidName, line.InvalidFormat, line.Draining, line.EmptyGroup:
		m.cancel(fmt.Errorf("%w: %s", ErrRefused, word))
	}
}

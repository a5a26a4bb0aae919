package web

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/line"
	"github.com/tutti-audio/tutti/relay/hub"
)

const (
	joinWithin = 10 * time.Second // of connecting
	pingEvery  = 10 * time.Second
	leastSeats = 16 // that each network may have
)

// socket is one WebSocket member. The library does the handshake, reads, and sends
// control frames; what goes to many is framed once and written here.
type socket struct {
	*queue
	encode [formCount]func([]byte) []byte
	form   int
	lines  bool // the client understands lines
	name   string
}

// Media implements hub.Sink.
func (s *socket) Media(p *hub.Shared) {
	if b := p.Frame(s.form, s.encode[s.form]); len(b) > 0 {
		s.push(b)
	}
}

// Line implements hub.Sink. Clients that do not speak lines are told in JSON what
// became of their joining, and nothing else.
func (s *socket) Line(b []byte) {
	b = bytes.TrimSuffix(b, []byte("\n"))
	if s.lines {
		s.say(frame(opText, b))
	}
	text := string(b)
	switch word, isErr := strings.CutPrefix(text, "ERR:"); {
	case text == "OK:joined":
		s.tell(map[string]string{"type": "joined", "channel": s.name})
	case isErr && !s.lines:
		s.tell(map[string]string{"type": "error", "error": word})
	case strings.HasPrefix(text, "MOVE") && !s.lines:
		s.tell(map[string]string{"type": "move", "relay": strings.TrimPrefix(text, "MOVE:")})
	}
}

func (s *socket) tell(what map[string]string) {
	if b, err := json.Marshal(what); err == nil {
		s.say(frame(opText, b))
	}
}

// seat takes one of the connections; false when none is left, or none for this
// network, which may have a quarter of all.
func (s *Server) seat(from netip.Addr) bool {
	most := s.settings.Load().Connections
	who := network(from)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.seats >= most || s.networks[who] >= max(most/4, leastSeats) {
		s.counts.Refused.Add(1)
		return false
	}
	s.seats++
	s.networks[who]++
	s.counts.Sockets.Add(1)
	s.wait.Add(1)
	return true
}

func (s *Server) unseat(from netip.Addr) {
	who := network(from)
	s.mu.Lock()
	s.seats--
	if s.networks[who]--; s.networks[who] == 0 {
		delete(s.networks, who)
	}
	s.mu.Unlock()
	s.counts.Sockets.Add(-1)
	s.wait.Done()
}

// network is a /24 or a /56.
func network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 56
	if a.Is4() {
		bits = 24
	}
	p, _ := a.Prefix(bits)
	return p
}

// getSocket is /ws/audio and /ws.
func (s *Server) getSocket(w http.ResponseWriter, r *http.Request) {
	settings, query := s.settings.Load(), r.URL.Query()
	form, ok := formNamed(query.Get("format"), settings.RawIsFull)
	name := query.Get("channel")
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if !ok || err != nil || name != "" && ostp.CheckChannel(name) != nil {
		fail(w, http.StatusBadRequest, "use ?channel=NAME, and format=ostp, raw or rtp")
		return
	}
	if !s.seat(from.Addr()) {
		fail(w, http.StatusServiceUnavailable, "this relay has as many connections as it may: use another, or try again later")
		return
	}
	defer s.unseat(from.Addr())
	taken := &taker{ResponseWriter: w}
	// The origin was checked by crossOrigin; the library would check it again by
	// its own list.
	conn, err := websocket.Accept(taken, r, &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return
	}
	defer conn.CloseNow() //nolint:errcheck // closed already, or nothing is left to do
	conn.SetReadLimit(ostp.MaxPacket)
	sink := &socket{queue: newQueue(&s.counts.Slow), encode: encoders(), form: form, lines: query.Get("lines") != "", name: name}
	guest := s.config.Hub.Connect(from, sink, true)
	defer guest.Close()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{}) // the writer sends what lines are left, and then all ends
	finish := sync.OnceFunc(func() { close(done) })
	defer context.AfterFunc(s.ctx, func() { sink.say(goingAway()); finish() })()
	var both sync.WaitGroup
	both.Go(func() { defer cancel(); sink.write(taken.conn, done) })
	both.Go(func() { defer finish(); s.listen(ctx, conn, guest, sink, query.Get("token")) })
	keepAlive(ctx, conn, s.config.Ping)
	cancel()
	finish()
	both.Wait()
}

// keepAlive pings until the connection ends or no answer comes: then it is half
// open.
func keepAlive(ctx context.Context, conn *websocket.Conn, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		late, cancel := context.WithTimeout(ctx, every)
		err := conn.Ping(late)
		cancel()
		if err != nil {
			return
		}
	}
}

// listen joins, if the query named a channel, and takes what the client sends.
func (s *Server) listen(ctx context.Context, conn *websocket.Conn, guest *hub.Guest, sink *socket, token string) {
	if sink.name != "" {
		guest.Join(sink.name, token)
		if !guest.Joined() {
			return
		}
	}
	for strangers := 0; guest.Joined() || strangers < maxStrange; strangers++ {
		late, cancel := ctx, context.CancelFunc(func() {})
		if !guest.Joined() {
			late, cancel = context.WithTimeout(ctx, joinWithin)
		}
		kind, b, err := conn.Read(late)
		cancel()
		if err != nil {
			return
		}
		if kind == websocket.MessageBinary {
			guest.Media(b)
			continue
		}
		s.text(guest, sink, b)
	}
}

// maxStrange is how many messages may come before a JOIN is granted.
const maxStrange = 16

// text takes a line, or NACK:s1,s2 of a client that does not speak packets.
func (s *Server) text(guest *hub.Guest, sink *socket, b []byte) {
	if list, ok := strings.CutPrefix(strings.TrimSpace(string(b)), "NACK:"); ok {
		var missing []uint16
		for text := range strings.SplitSeq(list, ",") {
			n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 32)
			if err != nil || len(missing) == ostp.MaxNACK {
				break
			}
			missing = append(missing, uint16(n))
		}
		guest.NACK(missing)
		return
	}
	if l, err := line.Parse(b); err == nil {
		if join, ok := l.(line.Join); ok {
			sink.join(join.Channel)
		}
	}
	guest.Line(b)
}

// join notes what a JOIN of the client's own asked for; it speaks lines.
func (s *socket) join(channel string) { s.lines, s.name = true, channel }

// taker lets the library take a connection over, and keeps it for our own writes.
type taker struct {
	http.ResponseWriter
	conn *shared
}

// Hijack implements http.Hijacker.
func (t *taker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	t.conn = &shared{Conn: conn}
	rw.Writer.Reset(t.conn)
	return t.conn, rw, nil
}

// shared is a connection that two write to, whole frames each.
type shared struct {
	net.Conn
	mu sync.Mutex
}

func (s *shared) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Conn.Write(b)
}

func (s *shared) writev(b net.Buffers) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := b.WriteTo(s.Conn)
	return err
}

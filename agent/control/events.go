package control

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
)

const (
	maxClients   = 32
	eventEvery   = 500 * time.Millisecond
	syncEvery    = time.Second
	keyWithin    = 5 * time.Second // of connecting
	writeWithin  = 5 * time.Second
	maxClientMsg = 1 << 10 // bytes
)

// Event is one message of /api/v1/events.
type Event struct {
	Type   string  `json:"type"`             // status, sync or error
	Status *Status `json:"status,omitempty"` // of type status
	Sync   *Sync   `json:"sync,omitempty"`   // of type sync
	Error  string  `json:"error,omitempty"`  // of type error
}

// KeyMessage is the first message of a client that cannot send a header, when a
// household key is set.
type KeyMessage struct {
	Key string `json:"key"`
}

// events sends what happens to everybody who is connected. While there is nobody,
// it does nothing.
type events struct {
	server *Server
	now    chan struct{} // a status is wanted at once
	ctx    context.Context
	cancel context.CancelFunc
	wait   sync.WaitGroup

	mu      sync.Mutex
	clients map[*client]bool
	seats   int // taken, also by those who have not shown their key yet
	closed  bool
	stop    context.CancelFunc // of the sending goroutine
}

// client is one connection.
type client struct {
	queue chan []byte // one of each kind at most; who is slow misses some
}

func newEvents(s *Server) *events {
	e := &events{server: s, now: make(chan struct{}, 1), clients: map[*client]bool{}}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	return e
}

// close ends all connections and waits.
func (e *events) close() {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.cancel()
	e.wait.Wait()
}

// soon makes the next status go out without waiting.
func (e *events) soon() {
	select {
	case e.now <- struct{}{}:
	default:
	}
}

// count returns how many clients are connected.
func (e *events) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.clients)
}

// seat takes one of the places; false when none is left.
func (e *events) seat() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || e.seats >= maxClients {
		return false
	}
	e.seats++
	e.wait.Add(1)
	return true
}

func (e *events) leave() {
	e.mu.Lock()
	e.seats--
	e.mu.Unlock()
	e.wait.Done()
}

// serve is GET /api/v1/events.
func (e *events) serve(w http.ResponseWriter, r *http.Request) {
	guard := e.server.guard
	_, header := bearer(r)
	if (header || guard.keyed && guard.blocked(r.RemoteAddr)) && !guard.admit(w, r) {
		return
	}
	if !e.seat() {
		fail(w, http.StatusServiceUnavailable, "as many as fit are following already: close another page")
		return
	}
	defer e.leave()
	conn, err := websocket.Accept(w, r, nil) // refuses pages of other hosts
	if err != nil {
		return
	}
	defer conn.CloseNow() //nolint:errcheck // closed already, or nothing is left to do
	conn.SetReadLimit(maxClientMsg)
	if guard.keyed && !header && !e.askKey(conn, r.RemoteAddr) {
		return
	}
	e.follow(conn)
}

// askKey waits for the key.
func (e *events) askKey(conn *websocket.Conn, from string) bool {
	ctx, cancel := context.WithTimeout(e.ctx, keyWithin)
	defer cancel()
	_, b, err := conn.Read(ctx)
	var m KeyMessage
	if err != nil || json.Unmarshal(b, &m) != nil || !e.server.guard.check(m.Key, from) {
		_ = conn.Close(websocket.StatusPolicyViolation, "send the household key first")
		return false
	}
	return true
}

// follow sends until the client goes or the server ends.
func (e *events) follow(conn *websocket.Conn) {
	ctx := conn.CloseRead(e.ctx)
	c := &client{queue: make(chan []byte, 2)}
	c.queue <- e.status()
	e.join(c)
	defer e.drop(c)
	for {
		select {
		case <-ctx.Done():
			_ = conn.Close(websocket.StatusGoingAway, "the speaker is stopping")
			return
		case b := <-c.queue:
			late, cancel := context.WithTimeout(ctx, writeWithin)
			err := conn.Write(late, websocket.MessageText, b)
			cancel()
			if err != nil {
				return
			}
		}
	}
}

// join adds a client; the first one starts the sending.
func (e *events) join(c *client) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.clients[c] = true
	if e.stop == nil {
		var ctx context.Context
		ctx, e.stop = context.WithCancel(e.ctx)
		e.wait.Go(func() { e.every(ctx, eventEvery, e.now, e.status) })
		e.wait.Go(func() { e.every(ctx, syncEvery, nil, e.sync) })
	}
}

// drop removes a client; the last one ends the sending.
func (e *events) drop(c *client) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.clients, c)
	if len(e.clients) == 0 && e.stop != nil {
		e.stop()
		e.stop = nil
	}
}

// every makes a message, once for all, and hands it to each client.
func (e *events) every(ctx context.Context, pause time.Duration, now <-chan struct{}, build func() []byte) {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-now:
		}
		if b := build(); b != nil {
			e.send(b)
		}
	}
}

func (e *events) send(b []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for c := range e.clients {
		select {
		case c.queue <- b:
		default:
		}
	}
}

func (e *events) status() []byte {
	status := e.server.config.Speaker.Status()
	return encode(Event{Type: "status", Status: &status})
}

func (e *events) sync() []byte {
	v, err := e.server.align.get()
	if err != nil {
		return encode(Event{Type: "error", Error: err.Error()})
	}
	return encode(Event{Type: "sync", Sync: &v})
}

func encode(e Event) []byte {
	b, err := json.Marshal(e)
	if err != nil {
		return nil
	}
	return b
}

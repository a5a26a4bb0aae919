// Package web is a relay's HTTP: WebSocket members, bootstrap, descriptions,
// metrics and health; and its lines over TCP (docs/spec, section 5).
//
// # Who may
//
// Programs that are no browser may ask for all of it; a private channel's
// description and TURN credentials are for the sessions of members. Browsers send
// an Origin: a page of the relay's own host may connect, and pages of the hosts
// named in the configuration. Others may not, neither by WebSocket nor by fetch.
// /metrics is for this host alone, unless it is served on an address of its own.
//
// # Limits
//
// Heads are at most 8 KiB, bodies 8 KiB, messages up one packet. So many WebSocket
// connections are served at a time as configured. A slow client loses its oldest
// packets. Every read and write has a deadline.
//
// A Server's methods are safe for concurrent use; Close waits for all connections.
package web

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-audio/tutti/relay/hub"
)

// maxRequests is how many HTTP connections there are at a time that are no
// WebSockets.
const maxRequests = 1000

// Config is what a server is made of.
type Config struct {
	Hub      *hub.Hub
	Settings Settings
	ICE      func(session, host string) []ICEServer // host: this one, as the client knows it; nil: none
	Log      *slog.Logger
	Other    *Server          // whose connections /metrics tells of; nil: this one's
	Until    func() time.Time // when the certificate is over; nil: there is none
	Ping     time.Duration    // between pings of WebSocket clients, and to wait for each answer; 0: 10 s
}

// Settings are what can be changed while a server runs.
type Settings struct {
	Public       string   // name or address of this relay; empty: as asked
	Lines        int      // TCP port of lines; 0: none
	Origins      []string // hosts whose pages may connect
	RawIsFull    bool     // the format raw means whole packets
	Connections  int      // at a time
	OpenMetrics  bool     // /metrics is not for this host alone
	Certificated bool     // there is a certificate: DTLS on the UDP port, TLS here
}

// ICEServer is a STUN or TURN server as browsers take it.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// Server serves one hub. Make it with New.
type Server struct {
	config   Config
	settings atomic.Pointer[Settings]
	mux      *http.ServeMux
	http     *http.Server
	counts   counts
	requests atomic.Int64 // HTTP connections now
	ctx      context.Context
	cancel   context.CancelFunc
	wait     sync.WaitGroup

	mu       sync.Mutex
	closed   bool // nothing begins any more
	seats    int  // taken, of Connections
	networks map[netip.Prefix]int
}

// New makes a server; Serve or Handler put it to use.
func New(c Config) *Server {
	if c.Ping == 0 {
		c.Ping = pingEvery
	}
	s := &Server{config: c, mux: http.NewServeMux(), networks: map[netip.Prefix]int{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.Apply(c.Settings)
	s.mux.HandleFunc("GET /healthz", s.getHealth)
	s.mux.HandleFunc("GET /metrics", s.getMetrics)
	s.mux.HandleFunc("/api/channel/", s.channel)
	s.mux.HandleFunc("GET /ws/audio", s.getSocket)
	s.mux.HandleFunc("GET /ws", s.getSocket)
	s.http = &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10, ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
		ConnState: s.follow,
	}
	return s
}

// Apply changes the settings.
func (s *Server) Apply(settings Settings) { s.settings.Store(&settings) }

// Handler returns everything as one handler.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		if !s.crossOrigin(w, r) {
			fail(w, http.StatusForbidden, "pages of that host may not use this relay: its operator can name the host under origins")
			return
		}
		s.mux.ServeHTTP(w, r)
	})
}

// crossOrigin lets pages of permitted hosts read what they asked for, and reports
// whether the request may go on.
func (s *Server) crossOrigin(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	_, host, ok := strings.Cut(origin, "://")
	if origin == "" || ok && strings.EqualFold(host, r.Host) {
		return true
	}
	for _, pattern := range s.settings.Load().Origins {
		if match, err := path.Match(strings.ToLower(pattern), strings.ToLower(host)); err == nil && match && ok {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-None-Match")
			w.Header().Set("Access-Control-Allow-Methods", "GET, PUT")
			w.Header().Set("Access-Control-Expose-Headers", "ETag")
			w.Header().Add("Vary", "Origin")
			return true
		}
	}
	return false
}

// follow closes connections beyond maxRequests.
func (s *Server) follow(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if s.requests.Add(1) > maxRequests {
			s.counts.Refused.Add(1)
			_ = c.Close()
		}
	case http.StateHijacked, http.StateClosed:
		s.requests.Add(-1)
	}
}

// Serve answers requests on l until Close; then it returns nil.
func (s *Server) Serve(l net.Listener) error {
	err := s.http.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Close ends all connections and waits.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close()
	}
	s.wait.Wait()
	return nil
}

// getHealth is 200 while the relay serves, and 503 once it drains.
func (s *Server) getHealth(w http.ResponseWriter, _ *http.Request) {
	if s.config.Hub.Draining() {
		fail(w, http.StatusServiceUnavailable, "this relay is stopping: use another")
		return
	}
	channels, members := s.config.Hub.Size()
	reply(w, map[string]any{"ok": true, "channels": channels, "members": members})
}

func fail(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": why})
}

func reply(w http.ResponseWriter, what any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(what)
}

// bearer returns the session that a request carries.
func bearer(r *http.Request) string {
	scheme, session, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(session)
}

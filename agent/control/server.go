// Package control is how people and programs reach one speaker: a JSON API under
// /api/v1, events over WebSocket, Prometheus metrics and the web page.
//
// # Who may
//
// Without a household key anybody on the network may look and change, but no web
// page of elsewhere may: a request must name this host by its address or its own
// name (against DNS rebinding), and one that changes something must be JSON from
// a page of the same host. With a key everything asks for it except /healthz and
// the page's files. A wrong key is slowed down for each address.
//
// # Limits
//
// Bodies are at most 4 KiB, 128 connections are served at a time, 32 of them
// with events. Fields that the API does not know are refused.
//
// Units are in the fields' names. A [Server]'s methods are safe for concurrent
// use; the goroutine that sends events lives while somebody is connected, and
// Close waits for it.
package control

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/net/netutil"
)

// Config is what a server is made of.
type Config struct {
	Speaker Speaker
	Key     string // household key; empty: none is asked for
	Log     *slog.Logger
	Host    string // this host's own name; empty: as the system says
}

// maxConnections is how many are served at a time.
const maxConnections = 128

// Server serves one speaker. Make it with NewServer.
type Server struct {
	config  Config
	guard   *guard
	events  *events
	metrics *gauges
	align   *alignment
	picture *picture
	mux     *http.ServeMux
	http    *http.Server
}

// route is one thing the API does.
type route struct {
	method, path string
	handle       http.HandlerFunc
	open         bool // needs no key
}

// NewServer makes a server; Serve or Handler put it to use.
func NewServer(c Config) *Server {
	if c.Host == "" {
		c.Host, _ = os.Hostname()
	}
	s := &Server{config: c, guard: newGuard(c.Key, c.Host), mux: http.NewServeMux()}
	s.align = &alignment{speaker: c.Speaker}
	s.picture = &picture{speaker: c.Speaker}
	s.events = newEvents(s)
	s.metrics = newGauges(s)
	for _, r := range s.routes() {
		s.mux.Handle(r.method+" "+r.path, s.guard.protect(r))
	}
	s.http = &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10, ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}
	return s
}

// routes is everything that is served.
func (s *Server) routes() []route {
	api := func(method, path string, handle http.HandlerFunc) route {
		return route{method: method, path: "/api/v1" + path, handle: handle}
	}
	all := []route{
		api("GET", "/status", s.getStatus),
		api("GET", "/sources", s.getSources),
		api("GET", "/speakers", s.getSpeakers),
		api("GET", "/sync", s.getSync),
		api("GET", "/artwork", s.picture.serve),
		api("GET", "/openapi.yaml", s.getOpenAPI),
		{method: "GET", path: "/api/v1/events", handle: s.events.serve, open: true}, // asks for the key itself
		api("PUT", "/volume", s.putVolume),
		api("PUT", "/mute", s.putMute),
		api("PUT", "/trim", s.putTrim),
		api("PUT", "/map", s.putMap),
		api("PUT", "/name", s.putName),
		api("POST", "/join", s.postJoin),
		{method: "GET", path: "/metrics", handle: s.metrics.serve},
		{method: "GET", path: "/healthz", handle: s.getHealth, open: true},
	}
	return append(all, pageRoutes()...)
}

// Handler returns everything as one handler.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.metrics.requests.Inc()
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		if !s.guard.knownHost(r.Host) {
			fail(w, http.StatusMisdirectedRequest, "this speaker answers to its address, to localhost and to its own name: open it by one of them")
			return
		}
		if _, pattern := s.mux.Handler(r); pattern == "" {
			s.refuse(w, r)
			return
		}
		s.mux.ServeHTTP(w, r)
	})
}

// refuse answers requests that no route takes, in JSON as all errors.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request) {
	for _, route := range s.routes() {
		if route.path == r.URL.Path {
			w.Header().Add("Allow", route.method)
			if r.Method != route.method {
				fail(w, http.StatusMethodNotAllowed, "this takes "+route.method)
				return
			}
		}
	}
	fail(w, http.StatusNotFound, "there is nothing here: /api/v1/openapi.yaml lists what there is")
}

// Serve answers requests on l until Close; then it returns nil.
func (s *Server) Serve(l net.Listener) error {
	err := s.http.Serve(netutil.LimitListener(l, maxConnections))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Close ends connections, the event streams first, and waits.
func (s *Server) Close() error {
	s.events.close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		return s.http.Close()
	}
	return nil
}

// Package relay assembles one relay from its configuration and keeps it running:
// hub, HTTP, reload and drain. A Relay has one owner; Close waits for everything.
package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/tutti-audio/tutti/relay/config"
	"github.com/tutti-audio/tutti/relay/hub"
	"github.com/tutti-audio/tutti/relay/web"
)

// Relay is one relay.
type Relay struct {
	log   *slog.Logger
	hub   *hub.Hub
	web   *web.Server
	bare  *web.Server // serves metrics on an address of their own
	http  net.Listener
	lines net.Listener

	mu     sync.Mutex
	config config.Config
	wait   sync.WaitGroup
}

// New opens all sockets and begins to serve.
func New(c config.Config, log *slog.Logger) (_ *Relay, err error) {
	r := &Relay{log: log, config: c}
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	address, err := config.Address(c.Listen)
	if err != nil {
		return nil, err
	}
	if r.hub, err = hub.New(hub.Config{Listen: address, Settings: c.Settings(), Log: log, Places: runtime.GOMAXPROCS(0) >= runtime.NumCPU()+hub.MaxWorkers}); err != nil {
		return nil, err
	}
	return r, r.serveTCP()
}

// serveTCP opens what is reached by TCP.
func (r *Relay) serveTCP() (err error) {
	c := r.config
	if r.lines, err = listen("lines", c.Lines); err != nil {
		return err
	}
	r.web = web.New(web.Config{Hub: r.hub, Settings: r.webSettings(c), Log: r.log})
	r.serve("lines", r.lines, r.web.ServeLines)
	if r.http, err = listen("http", c.HTTP); err != nil {
		return err
	}
	r.serve("http", r.http, r.web.Serve)
	metrics, err := listen("metrics", c.Metrics)
	if err != nil {
		return err
	}
	open := r.webSettings(c)
	open.OpenMetrics = true
	r.bare = web.New(web.Config{Hub: r.hub, Settings: open, Log: r.log, Other: r.web})
	r.serve("metrics", metrics, r.bare.Serve)
	return nil
}

func (r *Relay) webSettings(c config.Config) web.Settings {
	s := web.Settings{Public: c.Public, Origins: c.Origins, RawIsFull: c.RawIsFull, Connections: c.Limits.WebSockets}
	if r.lines != nil {
		s.Lines = r.lines.Addr().(*net.TCPAddr).Port
	}
	return s
}

// listen opens the address that a key of the configuration names; none if empty.
func listen(key, address string) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen: %w: choose another address with %s", err, key)
	}
	return l, nil
}

// serve serves a listener, if there is one, until Close.
func (r *Relay) serve(key string, l net.Listener, serve func(net.Listener) error) {
	if l == nil {
		return
	}
	r.wait.Go(func() {
		if err := serve(l); err != nil {
			r.log.Error("not served any more", "what", key, "error", err)
		}
	})
}

// Hub returns the relay's hub.
func (r *Relay) Hub() *hub.Hub { return r.hub }

// HTTPAddr returns the address that HTTP is served on, or nil.
func (r *Relay) HTTPAddr() net.Addr {
	if r.http == nil {
		return nil
	}
	return r.http.Addr()
}

// Apply takes a changed configuration over. Addresses stay what they were.
func (r *Relay) Apply(c config.Config) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.config
	if c.Listen != old.Listen || c.HTTP != old.HTTP || c.Lines != old.Lines || c.Metrics != old.Metrics {
		r.log.Warn("addresses to listen on are taken over at the next start only")
	}
	r.config = c
	r.hub.Apply(c.Settings())
	r.web.Apply(r.webSettings(c))
}

// Drain asks members to go and waits until they have, or the configured time is
// over, or the context ends. Media flows meanwhile.
func (r *Relay) Drain(ctx context.Context) {
	r.mu.Lock()
	c := r.config
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, c.DrainTime())
	defer cancel()
	r.hub.Drain(c.MoveTo)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, members := r.hub.Size(); members == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Close ends the service at once and waits.
func (r *Relay) Close() error {
	var err error
	for _, s := range []*web.Server{r.web, r.bare} {
		if s != nil {
			err = errors.Join(err, s.Close())
		}
	}
	if r.web == nil && r.lines != nil {
		err = r.lines.Close()
	}
	r.wait.Wait()
	if r.hub != nil {
		err = errors.Join(err, r.hub.Close())
	}
	return err
}

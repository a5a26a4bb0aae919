// Package relay assembles one relay from its configuration and keeps it running:
// hub, HTTP, reload and drain. A Relay has one owner; Close waits for everything.
package relay

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"time"

	"github.com/tutti-audio/tutti/internal/tcp"
	"github.com/tutti-audio/tutti/relay/cert"
	"github.com/tutti-audio/tutti/relay/config"
	"github.com/tutti-audio/tutti/relay/hub"
	"github.com/tutti-audio/tutti/relay/ice"
	"github.com/tutti-audio/tutti/relay/web"
)

// Relay is one relay.
type Relay struct {
	log  *slog.Logger
	cert *cert.Store // nil: no TLS and no DTLS
	ice  *ice.Server // nil: none
	hub  *hub.Hub
	web  *web.Server
	bare *web.Server // serves metrics on an address of their own

	questions *http.Server // of the ACME authority; nil: none
	http      net.Listener
	lines     net.Listener
	metrics   net.Listener

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
	of := hub.Config{Listen: address, Settings: c.Settings(), Log: log}
	if r.cert, err = cert.New(certConfig(c.TLS), log); err != nil {
		return nil, err
	}
	if r.cert != nil {
		of.Certificate = r.cert.Get
	}
	if r.hub, err = hub.New(of); err != nil {
		return nil, err
	}
	if r.ice, err = ice.New(c.TURN, r.hub.Knows, log); err != nil {
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
	serve := web.Config{Hub: r.hub, Settings: r.webSettings(c), Log: r.log}
	if r.cert != nil {
		serve.Until = r.cert.Until
	}
	if r.ice != nil {
		serve.ICE = r.ice.Servers
	}
	r.web = web.New(serve)
	r.serve("lines", r.secured(r.lines), r.web.ServeLines)
	if r.http, err = listen("http", c.HTTP); err != nil {
		return err
	}
	r.serve("http", r.secured(r.http), r.web.Serve)
	if err := r.serveQuestions(c.TLS.HTTP); err != nil {
		return err
	}
	if r.metrics, err = listen("metrics", c.Metrics); err != nil {
		return err
	}
	open := r.webSettings(c)
	open.OpenMetrics = true
	r.bare = web.New(web.Config{Hub: r.hub, Settings: open, Log: r.log, Other: r.web, Until: serve.Until})
	r.serve("metrics", r.metrics, r.bare.Serve)
	return nil
}

func (r *Relay) webSettings(c config.Config) web.Settings {
	s := web.Settings{Certificated: r.cert != nil, Public: c.Public, Origins: c.Origins, RawIsFull: c.RawIsFull, Connections: c.Limits.WebSockets}
	if r.lines != nil {
		s.Lines = r.lines.Addr().(*net.TCPAddr).Port
	}
	return s
}

// secured puts TLS in front of a listener when there is a certificate.
func (r *Relay) secured(l net.Listener) net.Listener {
	if r.cert == nil || l == nil {
		return l
	}
	return tls.NewListener(l, r.cert.TLS())
}

// serveQuestions answers the ACME authority's questions over HTTP.
func (r *Relay) serveQuestions(address string) error {
	if r.cert == nil || r.cert.Questions() == nil || address == "" {
		return nil
	}
	l, err := listen("tls.acme_http", address)
	if err != nil {
		return err
	}
	r.questions = &http.Server{Handler: r.cert.Questions(), ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 8 << 10}
	r.serve("tls.acme_http", l, func(l net.Listener) error {
		if err := r.questions.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return nil
}

func certConfig(c config.TLS) cert.Config {
	cache := c.Cache
	if cache == "" {
		cache = filepath.Join(cmp.Or(os.Getenv("STATE_DIRECTORY"), "."), "acme")
	}
	return cert.Config{Certificate: c.Certificate, Key: c.Key, Domains: c.Domains, Email: c.Email, Directory: c.Directory, Roots: c.Roots, Cache: cache}
}

// listen opens the address that a key of the configuration names; none if empty.
func listen(key, address string) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	l, err := tcp.Listen("tcp", address)
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
	same := c.Listen == old.Listen && c.HTTP == old.HTTP && c.Lines == old.Lines && c.Metrics == old.Metrics &&
		reflect.DeepEqual(c.TLS, old.TLS) && reflect.DeepEqual(c.TURN, old.TURN)
	if !same {
		r.log.Warn("addresses to listen on, [tls] and [turn] are taken over at the next start only")
	}
	if r.cert != nil {
		if err := r.cert.Reload(); err != nil {
			r.log.Error("the certificate stays as it was", "error", err)
		}
	}
	r.config = c
	r.hub.Apply(c.Settings())
	r.web.Apply(r.webSettings(c))
}

// LookAtCertificate reads the certificate's files again if they have changed.
func (r *Relay) LookAtCertificate() error {
	if r.cert == nil {
		return nil
	}
	return r.cert.Reload()
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
	if r.questions != nil {
		err = errors.Join(err, r.questions.Close())
	}
	if r.ice != nil {
		err = errors.Join(err, r.ice.Close())
	}
	if r.web == nil && r.lines != nil {
		err = errors.Join(err, r.lines.Close())
	}
	r.wait.Wait()
	if r.hub != nil {
		err = errors.Join(err, r.hub.Close())
	}
	return err
}

// Package cert is a relay's certificate: from files that may be replaced while it
// runs, or from an ACME authority (RFC 8555) by autocert. It serves TLS and DTLS.
//
// A certificate that is over is still served, and said to be over: media in the
// clear and clients that pin it can go on, which a relay that does not start could
// not. A Store is safe for concurrent use and has no goroutine of its own.
package cert

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// Config says where the certificate comes from: two files, or ACME for Domains.
type Config struct {
	Certificate, Key string   // files, PEM
	Domains          []string // names to get one for
	Email            string
	Directory        string // of the authority; empty: Let's Encrypt
	Roots            string // file of certificates to trust the directory by; empty: the system's
	Cache            string // directory
}

// Store is the present certificate.
type Store struct {
	config  Config
	log     *slog.Logger
	files   atomic.Pointer[tls.Certificate]
	stamp   atomic.Int64 // of the files, that were read last
	manager *autocert.Manager
	told    atomic.Int64 // when trouble with it was logged, in s
}

// New reads the files, or makes ready for ACME. Without either it returns nil.
func New(c Config, log *slog.Logger) (*Store, error) {
	s := &Store{config: c, log: log}
	switch {
	case c.Certificate != "":
		return s, s.Reload()
	case len(c.Domains) > 0:
		return s, s.prepare()
	}
	return nil, nil
}

// Reload reads the files again if they have changed. What is broken is refused, and
// the old certificate stays.
func (s *Store) Reload() error {
	if s.config.Certificate == "" {
		return nil
	}
	stamp := modified(s.config.Certificate) ^ modified(s.config.Key)<<1
	if stamp == s.stamp.Load() && s.files.Load() != nil {
		return nil
	}
	c, err := tls.LoadX509KeyPair(s.config.Certificate, s.config.Key)
	if err != nil {
		return fmt.Errorf("the certificate cannot be used: %w: tls.certificate and tls.key must be PEM files that belong together", err)
	}
	if c.Leaf == nil {
		return errors.New("the certificate cannot be used: it holds none")
	}
	s.stamp.Store(stamp)
	s.files.Store(&c)
	if time.Now().After(c.Leaf.NotAfter) {
		s.log.Error("the certificate is over: clients will refuse TLS and DTLS until it is renewed", "file", s.config.Certificate, "since", c.Leaf.NotAfter)
	} else {
		s.log.Info("certificate", "file", s.config.Certificate, "names", c.Leaf.DNSNames, "until", c.Leaf.NotAfter)
	}
	return nil
}

func modified(file string) int64 {
	info, err := os.Stat(file)
	if err != nil {
		return 0
	}
	return info.ModTime().UnixNano()
}

// prepare makes the ACME client.
func (s *Store) prepare() error {
	client := &acme.Client{DirectoryURL: s.config.Directory, UserAgent: "tutti-relay"}
	if s.config.Roots != "" {
		pem, err := os.ReadFile(s.config.Roots)
		pool := x509.NewCertPool()
		if err != nil || !pool.AppendCertsFromPEM(pem) {
			return fmt.Errorf("tls.acme_roots: %w", errors.Join(err, errors.New("no certificates in "+s.config.Roots)))
		}
		client.HTTPClient = &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	}
	s.manager = &autocert.Manager{
		Prompt: autocert.AcceptTOS, HostPolicy: autocert.HostWhitelist(s.config.Domains...), Cache: autocert.DirCache(s.config.Cache),
		Email: s.config.Email, Client: client,
	}
	return nil
}

// TLS returns the configuration of a server: TLS 1.3 and HTTP/1.1, which WebSocket
// needs.
func (s *Store) TLS() *tls.Config {
	c := &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"},
		GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if s.manager != nil {
				return s.fromAuthority(h)
			}
			return s.files.Load(), nil
		},
	}
	if s.manager == nil {
		return c
	}
	// The authority's question comes by TLS with a protocol of its own; it may come
	// by TLS 1.2.
	c.NextProtos = append(c.NextProtos, acme.ALPNProto)
	question := s.manager.TLSConfig()
	c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if len(h.SupportedProtos) == 1 && h.SupportedProtos[0] == acme.ALPNProto {
			return question, nil
		}
		return nil, nil
	}
	return c
}

// Get returns the certificate for DTLS, whose clients ask for no name that matters.
func (s *Store) Get() (*tls.Certificate, error) {
	if s.manager == nil {
		return s.files.Load(), nil
	}
	return s.fromAuthority(&tls.ClientHelloInfo{
		ServerName: s.config.Domains[0], SupportedVersions: []uint16{tls.VersionTLS13}, SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
		SupportedCurves: []tls.CurveID{tls.CurveP256}, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
	})
}

// fromAuthority returns the certificate for a client, and gets it if there is none
// yet. What goes wrong is logged at most once in ten seconds: strangers can ask for
// any name.
func (s *Store) fromAuthority(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
	c, err := s.manager.GetCertificate(h)
	last, now := s.told.Load(), time.Now().Unix()
	if err != nil && now-last >= 10 && s.told.CompareAndSwap(last, now) {
		s.log.Warn("no certificate: is the authority reached, and does the name lead here?", "name", h.ServerName, "error", err)
	}
	return c, err
}

// Until returns when the certificate of the files is over; zero by ACME, which
// renews it.
func (s *Store) Until() time.Time {
	if c := s.files.Load(); c != nil {
		return c.Leaf.NotAfter
	}
	return time.Time{}
}

// Questions returns what answers the authority's questions over HTTP, and sends
// everybody else to HTTPS; nil without ACME.
func (s *Store) Questions() http.Handler {
	if s.manager == nil {
		return nil
	}
	return s.manager.HTTPHandler(nil)
}

package cert

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/internal/selfsigned"
)

// write makes a certificate that lasts until a time, and trusts it.
func write(t *testing.T, dir string, until time.Time) (certificate, key string, trust *x509.CertPool) {
	t.Helper()
	c, err := selfsigned.New(until)
	if err != nil {
		t.Fatal(err)
	}
	if certificate, key, err = c.Write(dir); err != nil {
		t.Fatal(err)
	}
	return certificate, key, c.Trust
}

// shake does one handshake with a store.
func shake(t *testing.T, s *Store, client *tls.Config) error {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			_ = tls.Server(c, s.TLS()).Handshake()
			_ = c.Close()
		}
	}()
	client.ServerName = "relay.test"
	c, err := tls.Dial("tcp", l.Addr().String(), client)
	if err != nil {
		return err
	}
	return c.Close()
}

// TestExpired: clients refuse a certificate that is over; once its files are
// replaced they are read, without a restart; broken ones are refused.
func TestExpired(t *testing.T) {
	dir := t.TempDir()
	certificate, key, trust := write(t, dir, time.Now().Add(-time.Hour))
	s, err := New(Config{Certificate: certificate, Key: key}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal("a relay with an expired certificate does not start: ", err)
	}
	var invalid x509.CertificateInvalidError
	if err := shake(t, s, &tls.Config{RootCAs: trust}); !errors.As(err, &invalid) || invalid.Reason != x509.Expired {
		t.Errorf("an expired certificate: %v", err)
	}
	_, _, trust = write(t, dir, time.Now().Add(time.Hour))
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	if err := shake(t, s, &tls.Config{RootCAs: trust}); err != nil {
		t.Errorf("the new certificate: %v", err)
	}
	if err := os.WriteFile(key, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s.Reload() == nil {
		t.Error("a broken key is taken")
	}
	if err := shake(t, s, &tls.Config{RootCAs: trust}); err != nil {
		t.Errorf("after a broken key: %v", err)
	}
	if c, err := s.Get(); err != nil || c.Leaf.NotAfter.Before(time.Now()) {
		t.Errorf("for DTLS: %v, %v", c.Leaf.NotAfter, err)
	}
}

func TestOnlyTLS13(t *testing.T) {
	certificate, key, trust := write(t, t.TempDir(), time.Now().Add(time.Hour))
	s, err := New(Config{Certificate: certificate, Key: key}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if shake(t, s, &tls.Config{RootCAs: trust, MaxVersion: tls.VersionTLS12}) == nil {
		t.Error("TLS 1.2 is spoken")
	}
	if err := shake(t, s, &tls.Config{RootCAs: trust}); err != nil {
		t.Error(err)
	}
}

func TestNone(t *testing.T) {
	if s, err := New(Config{}, nil); s != nil || err != nil {
		t.Error(s, err)
	}
	if _, err := New(Config{Certificate: "/nowhere", Key: "/nowhere"}, nil); err == nil {
		t.Error("files that are not there")
	}
}

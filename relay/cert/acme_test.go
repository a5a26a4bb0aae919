package cert

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// TestACME gets a certificate from pebble, an authority for tests, which asks back by
// TLS-ALPN-01, and serves it. `make test-acme` builds pebble and runs this.
func TestACME(t *testing.T) {
	pebble := os.Getenv("TUTTI_PEBBLE")
	if pebble == "" {
		t.Skip("set TUTTI_PEBBLE to the program pebble, or run `make test-acme`")
	}
	ports := freePorts(t, 4)
	dir := t.TempDir()
	certificate, key, trust := write(t, dir, time.Now().Add(time.Hour))
	config := filepath.Join(dir, "pebble.json")
	text := fmt.Sprintf(`{"pebble":{"listenAddress":"127.0.0.1:%d","managementListenAddress":"127.0.0.1:%d","certificate":%q,"privateKey":%q,"httpPort":%d,"tlsPort":%d}}`,
		ports[0], ports[1], certificate, key, ports[2], ports[3])
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), pebble, "-config", config, "-dnsserver", nameServer(t))
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	roots := issuer(t, trust, ports[1])
	s, err := New(Config{Domains: []string{"relay.test"}, Directory: fmt.Sprintf("https://localhost:%d/dir", ports[0]), Roots: certificate, Cache: filepath.Join(dir, "cache")}, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", ports[3]), s.TLS())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go serveHandshakes(l)
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", l.Addr().String(), &tls.Config{RootCAs: roots, ServerName: "relay.test"})
	if err != nil {
		t.Fatal(err)
	}
	if v := c.ConnectionState().Version; v != tls.VersionTLS13 {
		t.Errorf("TLS version %x", v)
	}
	_ = c.Close()
	if got, err := s.Get(); err != nil || got.Leaf.VerifyHostname("relay.test") != nil {
		t.Errorf("for DTLS: %v", err)
	}
	if c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: roots, ServerName: "other.test"}); err == nil {
		_ = c.Close()
		t.Error("a certificate for a name that was not configured")
	}
}

func serveHandshakes(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			_ = c.(*tls.Conn).Handshake()
			_ = c.Close()
		}()
	}
}

func freePorts(t *testing.T, n int) (ports []int) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// nameServer says that every name is this host.
func nameServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") // pebble asks by TCP
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{Listener: l, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg)
		m.SetReply(q)
		if q.Question[0].Qtype == dns.TypeA {
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(127, 0, 0, 1)}}
		}
		_ = w.WriteMsg(m)
	})}
	go func() { _ = server.ActivateAndServe() }()
	t.Cleanup(func() { _ = server.Shutdown() })
	return l.Addr().String()
}

// issuer waits for pebble and fetches its root.
func issuer(t *testing.T, trust *x509.CertPool, port int) *x509.CertPool {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trust, ServerName: "relay.test"}}}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d/roots/0", port), nil)
		answer, err := client.Do(r)
		if err == nil {
			text, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			pool := x509.NewCertPool()
			if !pool.AppendCertsFromPEM(text) {
				t.Fatalf("no root: %s", text)
			}
			return pool
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

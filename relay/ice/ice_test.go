package ice

import (
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"

	"github.com/tutti-audio/tutti/relay/config"
	"github.com/tutti-audio/tutti/relay/web"
)

func everybody(netip.Addr) bool { return true }

func embedded(t *testing.T, ttl int) *Server {
	t.Helper()
	s, err := New(config.TURN{Mode: "embedded", Listen: "127.0.0.1:0", Public: "127.0.0.1", Ports: "20000-65000", TTL: ttl}, everybody, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// allocate asks for a relayed address.
func allocate(t *testing.T, server web.ICEServer) (net.PacketConn, error) {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	at := strings.TrimSuffix(strings.TrimPrefix(server.URLs[0], "turn:"), "?transport=udp")
	client, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: at, TURNServerAddr: at, Conn: conn, Username: server.Username, Password: server.Credential, Realm: realm, LoggerFactory: quiet{},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if err := client.Listen(); err != nil {
		t.Fatal(err)
	}
	return client.Allocate()
}

// TestRelayed: two members reach each other by the embedded server.
func TestRelayed(t *testing.T) {
	s := embedded(t, 600)
	servers := s.Servers("0123456789abcdef", "relay.test")
	if len(servers) != 2 || !strings.HasPrefix(servers[0].URLs[0], "stun:relay.test:") || servers[0].Credential != "" {
		t.Fatalf("%+v", servers)
	}
	a, err := allocate(t, servers[1])
	if err != nil {
		t.Fatal(err)
	}
	b, err := allocate(t, s.Servers("fedcba9876543210", "relay.test")[1])
	if err != nil {
		t.Fatal(err)
	}
	_, _ = b.WriteTo([]byte("permit"), a.LocalAddr()) // a peer must have been written to
	_, _ = a.WriteTo([]byte("hello"), b.LocalAddr())
	buf := make([]byte, 100)
	_ = b.SetReadDeadline(time.Now().Add(10 * time.Second))
	for {
		_, _ = a.WriteTo([]byte("hello"), b.LocalAddr())
		n, from, err := b.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		if string(buf[:n]) == "hello" && from.String() == a.LocalAddr().String() {
			break
		}
	}
}

// TestCredentials: forged ones and such that are over are refused.
func TestCredentials(t *testing.T) {
	s := embedded(t, -1)
	if _, err := allocate(t, s.Servers("0123456789abcdef", "relay.test")[1]); err == nil {
		t.Error("credentials that are over are taken")
	}
	good := embedded(t, 600)
	forged := good.Servers("0123456789abcdef", "relay.test")[1]
	forged.Credential += "x"
	if _, err := allocate(t, forged); err == nil {
		t.Error("a forged password is taken")
	}
}

// TestPermit: the server is no way into its own network.
func TestPermit(t *testing.T) {
	for _, c := range []struct {
		public, peer string
		want         bool
	}{
		{"203.0.113.5", "198.51.100.7", true},
		{"203.0.113.5", "203.0.113.5", true},
		{"203.0.113.5", "127.0.0.1", false},
		{"203.0.113.5", "::ffff:127.0.0.1", false},
		{"203.0.113.5", "10.0.0.1", false},
		{"203.0.113.5", "169.254.169.254", false},
		{"203.0.113.5", "224.0.0.1", false},
		{"203.0.113.5", "0.0.0.0", false},
		{"10.0.0.2", "10.0.0.1", true},
		{"10.0.0.2", "127.0.0.1", false},
		{"2001:db8::1", "fe80::1", false},
		{"2001:db8::1", "fd00::1", false},
	} {
		if got := permit(netip.MustParseAddr(c.public))(nil, net.ParseIP(c.peer)); got != c.want {
			t.Errorf("server at %s, peer %s: %v", c.public, c.peer, got)
		}
	}
}

func TestElsewhere(t *testing.T) {
	s, err := New(config.TURN{Mode: "coturn", URLs: []string{"turn:turn.test:3478", "turns:turn.test:5349"}, Secret: "x", TTL: 60}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	servers := s.Servers("0123456789abcdef", "relay.test")
	if len(servers) != 2 || len(servers[0].URLs) != 1 || servers[0].URLs[0] != "stun:turn.test:3478" || len(servers[1].URLs) != 2 {
		t.Errorf("%+v", servers)
	}
	if off, err := New(config.TURN{Mode: "off"}, nil, nil); off != nil || err != nil {
		t.Error(off, err)
	}
}

// A session has so many relayed addresses and no more, and those that it gives back are
// free again.
func TestQuota(t *testing.T) {
	s := embedded(t, 600)
	server := s.Servers("0123456789abcdef", "relay.test")[1]
	var last net.PacketConn
	for range mostOfSession {
		conn, err := allocate(t, server)
		if err != nil {
			t.Fatal(err)
		}
		last = conn
	}
	if _, err := allocate(t, server); err == nil || !strings.Contains(err.Error(), "486") {
		t.Errorf("one more: %v, want error 486", err)
	}
	if _, err := allocate(t, s.Servers("fedcba9876543210", "relay.test")[1]); err != nil {
		t.Errorf("another session: %v", err)
	}
	if err := last.Close(); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if _, err := allocate(t, server); err == nil {
			break
		} else if time.Since(began) > 10*time.Second {
			t.Fatalf("after one was given back: %v", err)
		}
	}
}

// A network is counted as one, whatever its sessions are called.
func TestQuotaOfNetwork(t *testing.T) {
	q := newQuota()
	at := func(ip string, port int) net.Addr { return &net.UDPAddr{IP: net.ParseIP(ip), Port: port} }
	for i := range mostOfNetwork {
		if from := at("2001:db8::1:0", i); !q.allows(string(rune('a'+i)), realm, from) {
			t.Fatalf("only %d", i)
		}
		q.add(string(rune('a'+i)), at("2001:db8::1:0", i), 1)
	}
	if q.allows("another", realm, at("2001:db8::2:0", 1)) {
		t.Error("another address of the /64 has more")
	}
	if !q.allows("another", realm, at("2001:db8:0:1::1", 1)) || !q.allows("another", realm, at("192.0.2.1", 1)) {
		t.Error("another network has none")
	}
	q.add("a", at("2001:db8::1:0", 1), -1)
	if !q.allows("another", realm, at("2001:db8::2:0", 1)) {
		t.Error("what was given back is not free")
	}
}

// TestPublicAddress: a private one is not given out, unless that is what was set.
func TestPublicAddress(t *testing.T) {
	for _, c := range []struct{ set, listen, want string }{
		{"10.0.0.1", "0.0.0.0", "10.0.0.1"},
		{"", "198.51.100.7", "198.51.100.7"},
		{"", "2001:db8::7", "2001:db8::7"},
		{"", "10.0.0.1", ""},
		{"", "127.0.0.1", ""},
		{"", "100.64.0.9", ""},
		{"", "fd00::1", ""},
		{"", "fe80::1", ""},
	} {
		a, err := publicAddress(c.set, netip.MustParseAddr(c.listen))
		if err != nil || a.IsValid() != (c.want != "") || a.IsValid() && a.String() != c.want {
			t.Errorf("set %q, listening on %s: %v, %v; want %q", c.set, c.listen, a, err, c.want)
		}
	}
	if _, err := publicAddress("me.example", netip.IPv6Unspecified()); err == nil {
		t.Error("a name is taken for an address")
	}
}

// TestStrangers: who is in no member's network is not answered, by a server that does
// STUN alone as well.
func TestStrangers(t *testing.T) {
	for _, known := range []bool{false, true} {
		s, err := New(config.TURN{Mode: "embedded", Listen: "127.0.0.1:0", Ports: "20000-65000", TTL: 60}, func(netip.Addr) bool { return known }, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		servers := s.Servers("0123456789abcdef", "127.0.0.1")
		if len(servers) != 1 {
			t.Fatalf("a server without a public address: %+v", servers)
		}
		conn, err := net.Dial("udp4", strings.TrimPrefix(servers[0].URLs[0], "stun:"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = conn.Write(stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw)
		_ = conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
		if known {
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		}
		if _, err := conn.Read(make([]byte, 1500)); (err == nil) != known {
			t.Errorf("known %v, answered: %v", known, err)
		}
	}
}

package relay

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/relay/config"
)

func local() config.Config {
	c := config.Default()
	c.Listen, c.Lines, c.HTTP, c.Metrics = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	c.TURN.Listen = "127.0.0.1:0"
	return c
}

func start(t *testing.T, c config.Config) *Relay {
	t.Helper()
	r, err := New(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// member is a UDP member of channel a.
type member struct {
	*net.UDPConn
	t *testing.T
}

func join(t *testing.T, r *Relay, text string) *member {
	t.Helper()
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(r.Hub().LocalAddr()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	m := &member{conn, t}
	m.join(text)
	return m
}

// join proves the address and joins.
func (m *member) join(text string) {
	m.t.Helper()
	text += strings.Repeat(" ", max(0, 24-len(text))) // no shorter than the challenge
	fmt.Fprint(m, text)
	fmt.Fprint(m, m.until("CHALLENGE:"))
	fmt.Fprint(m, text)
	m.until("ID:")
}

// until reads until something begins so.
func (m *member) until(prefix string) string {
	m.t.Helper()
	b := make([]byte, 2000)
	for {
		_ = m.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, err := m.Read(b)
		if err != nil {
			m.t.Fatalf("waiting for %q: %v", prefix, err)
		}
		if strings.HasPrefix(string(b[:n]), prefix) {
			return string(b[:n])
		}
	}
}

func media(sequence uint32) []byte {
	p := ostp.Packet{StreamID: 1, Payload: []byte("sound")}
	p.PayloadType, p.SSRC = uint8(ostp.Opus), 7
	p.SetSequence(sequence)
	b, _ := ostp.AppendPacket(nil, &p)
	return b
}

// TestDrain: members are told, media still flows, health says no, nobody joins any
// more, and when all have gone the relay does not wait.
func TestDrain(t *testing.T) {
	c := local()
	c.Drain, c.MoveTo = 300, "other.example:5100"
	r := start(t, c)
	defer r.Close()
	source, listener := join(t, r, "JOIN:a:::source:send"), join(t, r, "JOIN:a:::listener")
	drained := make(chan struct{})
	go func() { r.Drain(t.Context()); close(drained) }()
	for _, m := range []*member{source, listener} {
		if got := m.until("MOVE"); got != "MOVE:other.example:5100\n" {
			t.Errorf("told %q", got)
		}
	}
	_, _ = source.Write(media(1))
	if got := listener.until("\x90"); !bytes.Equal([]byte(got), media(1)) {
		t.Error("media does not flow while the relay drains")
	}
	answer, err := http.Get("http://" + r.HTTPAddr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	if answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("health says %d", answer.StatusCode)
	}
	late := &member{listener.UDPConn, t}
	fmt.Fprint(late, "LEAVE")
	late.until("OK:left")
	fmt.Fprint(late, "JOIN:a")
	late.until("ERR:draining")
	fmt.Fprint(source, "LEAVE")
	select {
	case <-drained:
	case <-time.After(20 * time.Second):
		t.Error("all have gone, and the relay still waits")
	}
}

// TestReload: a changed configuration is in force at once, and who was a member
// stays it.
func TestReload(t *testing.T) {
	c := local()
	c.Channel = map[string]config.Channel{"a": {Password: "old"}}
	r := start(t, c)
	defer r.Close()
	m := join(t, r, "JOIN:a:old:Kitchen radio:x")
	c.Channel = map[string]config.Channel{"a": {Password: "new"}}
	r.Apply(c)
	fmt.Fprint(m, "PING:still")
	m.until("PONG:still")
	if _, n := r.Hub().Size(); n != 1 {
		t.Errorf("%d members", n)
	}
	late := join(t, r, "JOIN:a:new:Living room:y")
	fmt.Fprint(late, "LEAVE")
	late.until("OK:left")
	fmt.Fprint(late, "JOIN:a:old")
	late.until("ERR:wrong_password")
}

// TestRestart: after the relay was killed and started again, a member that goes on as
// before is asked to prove its address, joins, and is the owner again.
func TestRestart(t *testing.T) {
	c := local()
	r := start(t, c)
	m := join(t, r, "JOIN:a:::the-same-device:send")
	c.Listen = r.Hub().LocalAddr().String()
	_ = r.Close()
	r = start(t, c)
	defer r.Close()
	_, _ = m.Write(media(1)) // is nobody's now
	fmt.Fprint(m, "JOIN:a:::the-same-device:send")
	fmt.Fprint(m, m.until("CHALLENGE:"))
	fmt.Fprint(m, "JOIN:a:::the-same-device:send")
	if got := m.until("ROLE:"); got != "ROLE:owner\n" {
		t.Errorf("after the restart: %q", got)
	}
}

// TestMetricsAddress: metrics on an address of their own.
func TestMetricsAddress(t *testing.T) {
	c := local()
	r := start(t, c)
	defer r.Close()
	if _, err := New(config.Config{Listen: "127.0.0.1:0", HTTP: r.HTTPAddr().String()}, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "choose another address with http") {
		t.Errorf("a taken port: %v", err)
	}
}

package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/relay/hub"
)

// stage is a hub with its HTTP.
type stage struct {
	*Server
	t   *testing.T
	url string
}

func newStage(t *testing.T, change func(*Settings)) *stage { return newStageOf(t, change, 0) }

func newStageOf(t *testing.T, change func(*Settings), ping time.Duration) *stage {
	t.Helper()
	settings := hub.Default()
	settings.SourceBytes = 100 << 20
	settings.Channels = map[string]hub.Access{"club": {Password: "door"}}
	h, err := hub.New(hub.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), Workers: 1, Settings: settings, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Hub: h, Settings: Settings{Connections: 100}, Log: slog.New(slog.DiscardHandler), Ping: ping}
	if change != nil {
		change(&c.Settings)
	}
	s := &stage{Server: New(c), t: t}
	web := httptest.NewServer(s.Handler())
	s.url = web.URL
	t.Cleanup(func() { _ = s.Close(); web.Close(); _ = h.Close() })
	return s
}

// dial opens a WebSocket.
func (s *stage) dial(query string) *websocket.Conn {
	s.t.Helper()
	conn, _, err := websocket.Dial(s.t.Context(), strings.Replace(s.url, "http", "ws", 1)+"/ws/audio?"+query, nil) //nolint:bodyclose // the library closes it
	if err != nil {
		s.t.Fatal(err)
	}
	conn.SetReadLimit(1 << 16)
	s.t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

func (s *stage) read(c *websocket.Conn) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	_, b, err := c.Read(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

func (s *stage) write(c *websocket.Conn, kind websocket.MessageType, b []byte) {
	s.t.Helper()
	if err := c.Write(s.t.Context(), kind, b); err != nil {
		s.t.Fatal(err)
	}
}

func packet(sequence uint32, pt ostp.PayloadType, payload string) []byte {
	p := ostp.Packet{StreamID: 1, Payload: []byte(payload)}
	p.PayloadType, p.SSRC = uint8(pt), 7
	p.SetSequence(sequence)
	b, _ := ostp.AppendPacket(nil, &p)
	return b
}

// TestFormats: each client gets the packet in the form it asked for.
func TestFormats(t *testing.T) {
	for _, full := range []bool{false, true} {
		s := newStage(t, func(c *Settings) { c.RawIsFull = full })
		clients := map[string]*websocket.Conn{}
		for _, format := range []string{"", "ostp", "raw", "rtp"} {
			c := s.dial("channel=a/b&format=" + format)
			if got := s.read(c); got != `{"channel":"a/b","type":"joined"}` {
				t.Fatalf("greeted with %s", got)
			}
			clients[format] = c
		}
		asks := s.dial("")
		s.write(asks, websocket.MessageText, []byte("JOIN:a/b:::dev:fec"))
		for s.read(asks) != "OK:joined" {
		}
		clients["fec"] = asks
		source := s.dial("")
		s.write(source, websocket.MessageText, []byte("JOIN:a/b:::src:send"))
		for s.read(source) != "OK:joined" {
		}
		sent := packet(3, ostp.Opus, "sound")
		s.write(source, websocket.MessageBinary, packet(2, ostp.FEC, "parity")) // is for no WebSocket
		s.write(source, websocket.MessageBinary, sent)
		rtp := append([]byte{0x80}, sent[1:12]...)
		want := map[string]string{"": string(sent), "ostp": string(sent), "raw": "sound", "rtp": string(rtp) + "sound", "fec": string(sent)}
		if full {
			want["raw"] = string(sent)
		}
		for format, c := range clients {
			got := s.read(c)
			for got == "" || got[0]>>6 != 2 && format == "fec" { // lines
				got = s.read(c)
			}
			if got != want[format] {
				t.Errorf("format %q: %q, want %q", format, got, want[format])
			}
		}
		s.write(clients["raw"], websocket.MessageText, []byte("NACK:3,4"))
		if got := s.read(clients["raw"]); got != want["raw"] {
			t.Errorf("resent %q", got)
		}
	}
}

// TestPrivate: a stranger learns that a channel is private, and nothing else.
func TestPrivate(t *testing.T) {
	s := newStage(t, nil)
	c := s.dial("channel=club")
	if got := s.read(c); got != `{"error":"wrong_password","type":"error"}` {
		t.Errorf("a stranger is told %s", got)
	}
	if status, body := s.get("/api/channel/club/bootstrap", ""); status != 200 || body != "{\"channel\":\"club\",\"private\":true}\n" {
		t.Errorf("bootstrap tells a stranger %d %s", status, body)
	}
	if status, _ := s.get("/api/channel/club/description", ""); status != 401 {
		t.Errorf("description: %d", status)
	}
	c = s.dial("channel=club&token=door&lines=1")
	session := ""
	for text := ""; session == ""; text = s.read(c) {
		session, _ = strings.CutPrefix(text, "SESSION:")
		if session == text {
			session = ""
		}
	}
	status, body := s.get("/api/channel/club/bootstrap", session)
	var b Bootstrap
	if err := json.Unmarshal([]byte(body), &b); err != nil || status != 200 || b.Relay == nil || b.Members != 1 {
		t.Errorf("bootstrap tells a member %d %s", status, body)
	}
	again := s.dial("channel=club&token=" + session)
	if got := s.read(again); !strings.Contains(got, "joined") {
		t.Errorf("with a session: %s", got)
	}
}

func (s *stage) get(path, session string) (int, string) {
	s.t.Helper()
	return s.ask("GET", path, session, "", nil)
}

func (s *stage) ask(method, path, session, body string, header http.Header) (int, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for k, v := range header {
		r.Header[k] = v
	}
	if session != "" {
		r.Header.Set("Authorization", "Bearer "+session)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	b, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(b)
}

func TestDescription(t *testing.T) {
	s := newStage(t, nil)
	c := s.dial("channel=x/y&lines=1")
	var session string
	for session == "" {
		if after, ok := strings.CutPrefix(s.read(c), "SESSION:"); ok {
			session = after
		}
	}
	const path = "/api/channel/x/y/description"
	sum := sha256.Sum256([]byte("v=0"))
	etag := hex.EncodeToString(sum[:8])
	for _, step := range []struct {
		method, session, body string
		header                http.Header
		status                int
		want                  string
	}{
		{"GET", "", "", nil, 404, "not been described"},
		{"PUT", "", "v=0", nil, 401, "session"},
		{"PUT", session, strings.Repeat("x", hub.MaxDescription+1), nil, 413, "8192"},
		{"PUT", session, "v=0", nil, 204, ""},
		{"GET", "", "", nil, 200, "v=0"},
		{"GET", "", "", http.Header{"If-None-Match": {`"` + etag + `"`}}, 304, ""},
		{"POST", session, "v=0", nil, 404, "there is"},
	} {
		if status, body := s.ask(step.method, path, step.session, step.body, step.header); status != step.status || !strings.Contains(body, step.want) {
			t.Errorf("%s: %d %s, want %d %s", step.method, status, body, step.status, step.want)
		}
	}
}

// TestOrigins: pages of other hosts may not, but those that are named.
func TestOrigins(t *testing.T) {
	s := newStage(t, func(c *Settings) { c.Origins = []string{"*.radio.example"} })
	for origin, want := range map[string]int{"": 200, s.url: 200, "https://www.radio.example": 200, "https://evil.example": 403, "null": 403} {
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		if status, _ := s.ask("GET", "/healthz", "", "", header); status != want {
			t.Errorf("origin %q: %d, want %d", origin, status, want)
		}
		_, answer, err := websocket.Dial(t.Context(), strings.Replace(s.url, "http", "ws", 1)+"/ws?channel=a", &websocket.DialOptions{HTTPHeader: header}) //nolint:bodyclose // the library closes it
		if (err == nil) != (want == 200) {
			t.Errorf("WebSocket from %q: %v, %v", origin, answer.StatusCode, err)
		}
	}
}

// TestSlowClient: one that does not read costs the others nothing.
func TestSlowClient(t *testing.T) {
	s := newStage(t, nil)
	slow, quick, source := s.dial("channel=a"), s.dial("channel=a"), s.dial("channel=a")
	s.read(slow)
	s.read(quick)
	s.read(source)
	const count = 3000
	heard := make(chan int)
	go func() {
		last := 0
		for last < count-1 {
			_, b, err := quick.Read(t.Context())
			var p ostp.Packet
			if err != nil || ostp.ParsePacket(&p, b) != nil {
				break
			}
			last = int(p.Sequence())
		}
		heard <- last
	}()
	payload := strings.Repeat("x", 1100)
	for i := range uint32(count) {
		s.write(source, websocket.MessageBinary, packet(i, ostp.PCM16, payload))
		if i%50 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	if last := <-heard; last != count-1 {
		t.Errorf("who reads got up to %d of %d", last, count)
	}
}

// TestLinesOverTCP: the same verbs, a line each.
func TestLinesOverTCP(t *testing.T) {
	s := newStage(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- s.ServeLines(l) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "JOIN a\r\nPING:7\nPING 8\n")
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	var text strings.Builder
	b := make([]byte, 1000)
	for !strings.Contains(text.String(), "PONG:8\n") {
		n, err := conn.Read(b)
		if err != nil {
			t.Fatalf("%v after %q", err, text.String())
		}
		text.Write(b[:n])
	}
	for _, want := range []string{"OK:joined\n", "ROLE:owner\n", "SESSION:", "YOUR_ADDR:" + conn.LocalAddr().String() + "\n", "PONG:7\n"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in %q", want, text.String())
		}
	}
	_ = s.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestHalfOpen: a client that is there no more, but whose connection stands, is let
// go.
func TestHalfOpen(t *testing.T) {
	s := newStageOf(t, nil, 100*time.Millisecond)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /ws?channel=a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	deadline := time.Now().Add(20 * time.Second)
	for _, want := range []int{1, 0} { // it joins, answers no ping, and is gone
		for {
			if _, n := s.config.Hub.Size(); n == want {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("not %d members in time", want)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// TestGoingAway: when the relay ends, WebSocket clients are told so.
func TestGoingAway(t *testing.T) {
	s := newStage(t, nil)
	c := s.dial("channel=a")
	s.read(c)
	go func() { _ = s.Close() }()
	_, _, err := c.Read(t.Context())
	if websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("told %v", err)
	}
}

func TestMetrics(t *testing.T) {
	s := newStage(t, nil)
	status, body := s.get("/metrics", "")
	if status != 200 || !strings.Contains(body, "tutti_relay_members 0\n") || !strings.Contains(body, "# TYPE tutti_relay_packets_sent_total counter\n") {
		t.Errorf("%d %.2000s", status, body)
	}
	if status, _ := s.ask("GET", "/metrics", "", "", http.Header{"X-Forwarded-For": {"192.0.2.1"}}); status != 403 {
		t.Errorf("through a proxy: %d", status)
	}
}

// TestLimit: connections beyond the limit are refused, and a place that is left is
// given again.
func TestLimit(t *testing.T) {
	s := newStage(t, func(c *Settings) { c.Connections = 1 })
	first := s.dial("channel=a")
	s.read(first)
	if status, _ := s.ask("GET", "/ws?channel=a", "", "", nil); status != 503 {
		t.Errorf("the second: %d", status)
	}
	_ = first.Close(websocket.StatusNormalClosure, "")
	for deadline := time.Now().Add(10 * time.Second); s.counts.Sockets.Load() != 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the place was not given back")
		}
	}
	s.read(s.dial("channel=a"))
}

package control

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// follow connects to the events.
func follow(t *testing.T, h *httptest.Server, header http.Header) (*websocket.Conn, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	c, _, err := websocket.Dial(ctx, h.URL+"/api/v1/events", &websocket.DialOptions{HTTPHeader: header}) //nolint:bodyclose // websocket.Dial says not to
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.CloseNow() })
	c.SetReadLimit(1 << 20)
	return c, ctx
}

func next(t *testing.T, ctx context.Context, c *websocket.Conn) (e Event) {
	t.Helper()
	_, b, err := c.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEvents(t *testing.T) {
	f, s, h := serve(t, "")
	f.listeners = []Listener{{ID: "a", Name: "A"}}
	c, ctx := follow(t, h, nil)
	if e := next(t, ctx, c); e.Type != "status" || e.Status.Name != "Kitchen" {
		t.Fatalf("first %+v, want the status", e)
	}
	ask(t, h, "PUT", "/api/v1/volume", `{"percent": 3}`, asJSON)
	changed, aligned := false, false
	for !changed || !aligned {
		switch e := next(t, ctx, c); e.Type {
		case "status":
			changed = changed || e.Status.Volume == 3
		case "sync":
			aligned = len(e.Sync.Listeners) == 1
		}
	}
	if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Fatal(err)
	}
	for s.events.count() > 0 {
		time.Sleep(time.Millisecond)
	}
	s.events.mu.Lock()
	defer s.events.mu.Unlock()
	if s.events.stop != nil {
		t.Error("nobody is connected, and the sending goes on")
	}
}

func TestEventsAreBounded(t *testing.T) {
	_, s, h := serve(t, "")
	for range maxClients {
		c, ctx := follow(t, h, nil)
		next(t, ctx, c)
	}
	_, answer, err := websocket.Dial(t.Context(), h.URL+"/api/v1/events", nil) //nolint:bodyclose // likewise
	if err == nil || answer == nil || answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one more: %v, %v", answer, err)
	}
	done := make(chan struct{})
	go func() {
		s.Close() // while all are connected
		close(done)
	}()
	<-done
	if n := s.events.count(); n != 0 {
		t.Errorf("%d clients after Close", n)
	}
}

func TestEventsOfOtherPages(t *testing.T) {
	_, _, h := serve(t, "")
	_, answer, err := websocket.Dial(t.Context(), h.URL+"/api/v1/events", &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {"http://evil.example"}}}) //nolint:bodyclose // likewise
	if err == nil || answer == nil || answer.StatusCode != http.StatusForbidden {
		t.Errorf("%v, %v", answer, err)
	}
}

func TestEventsKey(t *testing.T) {
	_, _, h := serve(t, goodKey)
	c, ctx := follow(t, h, http.Header{"Authorization": {"Bearer " + goodKey}})
	next(t, ctx, c)

	c, ctx = follow(t, h, nil)
	if err := c.Write(ctx, websocket.MessageText, []byte(`{"key":"`+goodKey+`"}`)); err != nil {
		t.Fatal(err)
	}
	next(t, ctx, c)

	for _, first := range []string{`{"key":"wrong"}`, `{}`, `what`, strings.Repeat("x", 2*maxClientMsg)} {
		c, ctx := follow(t, h, nil)
		_ = c.Write(ctx, websocket.MessageText, []byte(first))
		if _, b, err := c.Read(ctx); err == nil {
			t.Errorf("%.20q: got %s", first, b)
		}
	}
	_, answer, err := websocket.Dial(t.Context(), h.URL+"/api/v1/events", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer wrong"}}}) //nolint:bodyclose // likewise
	if err == nil || answer == nil || answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("a wrong header: %v, %v", answer, err)
	}
}

package control

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// fake is a speaker that only remembers.
type fake struct {
	mu        sync.Mutex
	status    Status
	listeners []Listener
	lost      error // of Listeners
	asked     int   // Listeners calls
	looked    int   // Status calls
	art       []byte
	sources   []Source
	peers     []Peer
}

func (f *fake) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looked++
	return f.status
}

func (f *fake) set(change func(*Status)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.status)
	return nil
}

func (f *fake) SetVolume(p int) error {
	if p < 0 || p > 100 {
		return fmt.Errorf("volume %d: use 0 to 100", p)
	}
	return f.set(func(s *Status) { s.Volume = p })
}
func (f *fake) SetMuted(m bool) error { return f.set(func(s *Status) { s.Muted = m }) }
func (f *fake) SetTrim(d time.Duration) error {
	return f.set(func(s *Status) { s.TrimMS = float64(d) / 1e6 })
}
func (f *fake) SetChannelMap(m string) error { return f.set(func(s *Status) { s.Map = m }) }
func (f *fake) SetName(n string) error {
	if n == "" {
		return errors.New("the name is empty")
	}
	return f.set(func(s *Status) { s.Name = n })
}
func (f *fake) Join(c string) error { return f.set(func(s *Status) { s.Channel = c }) }
func (f *fake) Sources() []Source {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sources
}
func (f *fake) Speakers() []Peer {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.peers
}
func (f *fake) Listeners() ([]Listener, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	return f.listeners, f.lost
}
func (f *fake) Artwork() ([]byte, string) { return f.art, "image/svg+xml" }

// serve starts a server for tests.
func serve(t *testing.T, key string) (*fake, *Server, *httptest.Server) {
	t.Helper()
	f := &fake{status: Status{ID: "x", Name: "Kitchen", Version: "v1", State: "playing", Volume: 40, Stream: &Stream{Channel: "house", Source: "Study"}}}
	s := NewServer(Config{Speaker: f, Key: key, Log: slog.New(slog.DiscardHandler), Host: "kitchen.example"})
	h := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		s.Close()
		h.Close()
	})
	return f, s, h
}

// ask makes a request with headers "Name: value" and returns code and body.
func ask(t *testing.T, h *httptest.Server, method, path, body string, headers ...string) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequest(method, h.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var b strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := answer.Body.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			break
		}
	}
	return answer.StatusCode, b.String(), answer.Header
}

const asJSON = "Content-Type: application/json"

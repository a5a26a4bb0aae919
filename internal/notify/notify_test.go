package notify

import (
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestNext: the watchdog is fed by nothing but a count that moves.
func TestNext(t *testing.T) {
	f := follower{watchdog: 4 * time.Second}
	start := time.Now()
	for i, c := range []struct {
		second float64
		count  uint64
		status string
		want   string
	}{
		{0, 0, "searching", "STATUS=searching"},
		{0.5, 0, "searching", ""}, // the thread has not turned yet
		{1, 7, "searching", "READY=1\nWATCHDOG=1"},
		{1.5, 9, "searching", ""}, // fed a moment ago
		{2, 12, "play\ning", "WATCHDOG=1\nSTATUS=play ing"},
		{3, 12, "play\ning", ""}, // stuck
		{30, 12, "play\ning", ""},
		{31, 13, "play\ning", "WATCHDOG=1"},
	} {
		if got := f.next(c.count, c.status, start.Add(time.Duration(c.second*1e9))); got != c.want {
			t.Errorf("%d: %q, want %q", i, got, c.want)
		}
	}
}

// TestSocket speaks to a socket as systemd has one.
func TestSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer systemd.Close()
	env := map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "40000"}
	n, err := New(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	var count atomic.Uint64
	n.Follow(func() uint64 { return count.Add(1) }, func() string { return "well" })
	var heard strings.Builder
	buf := make([]byte, 4096)
	hear := func() {
		k, err := systemd.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		heard.Write(append(buf[:k], '\n'))
	}
	for strings.Count(heard.String(), "WATCHDOG=1") < 3 {
		hear()
	}
	n.Stopping()
	for !strings.Contains(heard.String(), "STOPPING=1") {
		hear()
	}
	if err := n.Close(); err != nil || !strings.HasPrefix(heard.String(), "READY=1\nWATCHDOG=1\nSTATUS=well\n") {
		t.Errorf("%v, heard %q", err, heard.String())
	}
}

// TestWithoutSystemd: nothing happens.
func TestWithoutSystemd(t *testing.T) {
	n, err := New(func(string) string { return "" })
	if n != nil || err != nil {
		t.Fatal(n, err)
	}
	n.Follow(nil, nil)
	n.Ready("")
	n.Stopping()
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	if _, err := New(func(string) string { return "/nowhere/socket" }); err == nil {
		t.Error("a socket that is not there is taken")
	}
}

package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// output is what a command writes, while it does.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) wait(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		o.mu.Lock()
		all := o.b.String()
		o.mu.Unlock()
		if strings.Contains(all, text) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %q in\n%s", text, all)
		}
	}
}

// TestRun: it relays, reads its file again, refuses a bad one and stays, and ends
// when asked to.
func TestRun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "relay.toml")
	const good = "listen = \"127.0.0.1:0\"\nlines = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\nturn.listen = \"127.0.0.1:0\"\n"
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(good)
	ctx, cancel := context.WithCancel(t.Context())
	var out output
	code := make(chan int)
	go func() {
		code <- run(ctx, []string{"run", "--config", file}, surroundings{out: &out, err: &out, getenv: func(string) string { return "" }})
	}()
	out.wait(t, "relaying")
	write(good + "drain_s = 1\nlog_levl = \"debug\"\n")
	_ = syscall.Kill(os.Getpid(), syscall.SIGHUP)
	out.wait(t, "the old one stays")
	out.wait(t, `relay.toml:6: unknown key \"log_levl\": did you mean \"log_level\"?`)
	write(good + "drain_s = 1\n") // is seen without a signal
	out.wait(t, "was read again")
	cancel()
	if got := <-code; got != exitOK {
		t.Errorf("ended with %d", got)
	}
}

func TestMisuse(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.toml")
	if err := os.WriteFile(bad, []byte("listen = 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	busy := filepath.Join(t.TempDir(), "busy.toml")
	if err := os.WriteFile(busy, []byte("listen = \""+taken.LocalAddr().String()+"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"check", bad}, exitMisused, "bad.toml:1: "},
		{[]string{"run", "--config", bad}, exitMisused, "bad.toml:1: "},
		{[]string{"run", "--config", bad + "x"}, exitMisused, "--print-config"},
		{[]string{"run", "--config", busy}, exitFailed, "choose another port"},
		{[]string{"walk"}, exitMisused, "unknown command"},
		{[]string{"version"}, exitOK, "tutti-relay dev"},
		{[]string{"run", "--print-config"}, exitOK, "listen = \":5100\""},
	} {
		var out bytes.Buffer
		if got := run(t.Context(), c.args, surroundings{out: &out, err: &out, getenv: func(string) string { return "" }}); got != c.code || !strings.Contains(out.String(), c.want) {
			t.Errorf("%v: %d, %s; want %d, %s", c.args, got, out.String(), c.code, c.want)
		}
	}
}

package main

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestAsService: tutti run is ready by itself, without network, source or sound
// device, feeds the watchdog, and says when it stops; tutti send is ready too.
func TestAsService(t *testing.T) {
	for name, args := range map[string][]string{
		"run":  {"run", "--output", "pulse:nobody-has-this", "--interface", "lo", "--http", "127.0.0.1:0", "--state-dir", t.TempDir()},
		"send": {"send", "--interface", "lo", "--http", "127.0.0.1:0", "silence"},
	} {
		t.Run(name, func(t *testing.T) {
			needLoopback(t)
			path := filepath.Join(t.TempDir(), "notify")
			systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
			if err != nil {
				t.Fatal(err)
			}
			defer systemd.Close()
			cmd, out := program(context.Background(), args...), &console{}
			cmd.Stdout, cmd.Stderr = out, out
			cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=400000", "PULSE_SERVER=/nowhere/socket")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			heard := ""
			until := func(want string) {
				b := make([]byte, 4096)
				_ = systemd.SetReadDeadline(time.Now().Add(time.Minute))
				for !strings.Contains(heard, want) {
					n, err := systemd.Read(b)
					if err != nil {
						_ = cmd.Process.Kill()
						t.Fatalf("%v; heard %q\n%s", err, heard, out)
					}
					heard += string(b[:n]) + "\n"
				}
			}
			until("READY=1")
			until("STATUS=")
			if name == "run" {
				until("WATCHDOG=1")
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			until("STOPPING=1")
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

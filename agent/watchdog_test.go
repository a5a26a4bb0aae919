package agent

import (
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/agent/output"
	"github.com/tutti-audio/tutti/agent/player"
	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/internal/notify"
)

// jamming is an output whose position takes as long as it is told to: a driver
// that hangs.
type jamming struct {
	output.Device
	gate chan struct{}
}

func (j jamming) Position() (output.Position, error) {
	j.gate <- struct{}{}
	<-j.gate
	return j.Device.Position()
}

// TestWatchdogStarves: while the audio thread turns systemd is told so; while it is
// stuck in its device it is not, however lively the rest of the process is; and it
// is again when the device lets go.
func TestWatchdogStarves(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer systemd.Close()
	const watchdog = 40 * time.Millisecond
	env := map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "40000"}
	n, err := notify.New(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	clock, gate := hostclock.New(0), make(chan struct{})
	p := player.New(player.Config{Clock: clock, Log: slog.New(slog.DiscardHandler), Volume: 50, Open: func() (player.Output, error) {
		d, err := output.Open("null", clock)
		return jamming{d, gate}, err
	}})
	n.Follow(p.Turns, func() string { return "well" })
	turn := func() {
		<-gate
		gate <- struct{}{}
	}
	hear := func(wait time.Duration) string {
		b := make([]byte, 4096)
		_ = systemd.SetReadDeadline(time.Now().Add(wait))
		k, _ := systemd.Read(b)
		return string(b[:k])
	}
	feed := func() {
		for deadline := time.Now().Add(time.Minute); !strings.Contains(hear(time.Millisecond), "WATCHDOG=1"); turn() {
			if time.Now().After(deadline) {
				t.Fatal("the watchdog is not fed")
			}
		}
	}
	feed()
	<-gate // the thread is in its device, and stays there
	for hear(watchdog) != "" {
	} // what was said of turns before
	told := 0
	for until := time.Now().Add(20 * watchdog); time.Now().Before(until); {
		if hear(time.Until(until)) != "" {
			told++
		}
	}
	if told > 1 { // of the last turn, should this machine be slow
		t.Errorf("stuck, but systemd is told %d times that all is well", told)
	}
	gate <- struct{}{}
	feed()
	n.Stopping()
	end := make(chan error, 1)
	go func() { end <- p.Close() }()
	for {
		select {
		case <-gate:
			gate <- struct{}{}
			continue
		case err := <-end:
			if err != nil {
				t.Error(err)
			}
		}
		break
	}
}

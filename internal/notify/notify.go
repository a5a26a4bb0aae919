// Package notify tells systemd how a service is: ready, in what state, alive, and
// stopping (sd_notify(3), over the datagram socket $NOTIFY_SOCKET).
//
// Alive is not what this process says of itself but what it is shown: a count that
// the guarded thread moves on. When that stands still nothing is sent, and systemd
// restarts the service after its WatchdogSec. A nil *Notifier, which is what a
// process without systemd gets, does nothing. A Notifier has one goroutine at most;
// Close waits for it.
package notify

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Notifier is the connection to systemd.
type Notifier struct {
	conn     *net.UnixConn
	watchdog time.Duration // 0: systemd does not watch
	quit     chan struct{}
	wait     sync.WaitGroup
}

// New connects to systemd, if that started this process.
func New(getenv func(string) string) (*Notifier, error) {
	path := getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil, nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"}) // @ is the abstract name space
	if err != nil {
		return nil, fmt.Errorf("cannot tell systemd how this service is: %w", err)
	}
	n := &Notifier{conn: conn, quit: make(chan struct{})}
	usec, err := strconv.ParseUint(getenv("WATCHDOG_USEC"), 10, 62)
	if pid := getenv("WATCHDOG_PID"); err == nil && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		n.watchdog = time.Duration(usec) * time.Microsecond
	}
	return n, nil
}

// Follow says READY as soon as the count has moved once, then WATCHDOG as long as
// it moves, and STATUS whenever that is another. It returns at once; both functions
// are called from one goroutine until Close.
func (n *Notifier) Follow(count func() uint64, status func() string) {
	if n == nil {
		return
	}
	n.wait.Go(func() {
		f := follower{watchdog: n.watchdog}
		ticker := time.NewTicker(n.interval())
		defer ticker.Stop()
		for {
			if text := f.next(count(), status(), time.Now()); text != "" {
				n.say(text)
			}
			select {
			case <-n.quit:
				return
			case <-ticker.C:
			}
		}
	})
}

// interval is often enough for the watchdog, and for people.
func (n *Notifier) interval() time.Duration {
	if n.watchdog > 0 {
		return max(min(n.watchdog/4, time.Second), time.Millisecond)
	}
	return time.Second
}

// follower decides what to say.
type follower struct {
	watchdog time.Duration
	begun    bool
	ready    bool
	last     uint64    // count
	fed      time.Time // when the watchdog was
	status   string
}

func (f *follower) next(count uint64, status string, now time.Time) string {
	var lines []string
	moved := f.begun && count != f.last || !f.begun && count != 0
	if f.begun = true; moved && !f.ready {
		f.ready = true
		lines = append(lines, "READY=1")
	}
	if moved && f.watchdog > 0 && now.Sub(f.fed) >= f.watchdog/4 {
		f.fed = now
		lines = append(lines, "WATCHDOG=1")
	}
	f.last = count
	if status != f.status {
		f.status = status
		lines = append(lines, "STATUS="+strings.ReplaceAll(status, "\n", " "))
	}
	return strings.Join(lines, "\n")
}

// Ready says that the service is ready, for one that nothing is counted of.
func (n *Notifier) Ready(status string) {
	n.say("READY=1\nSTATUS=" + strings.ReplaceAll(status, "\n", " "))
}

func (n *Notifier) say(text string) {
	if n != nil {
		_, _ = n.conn.Write([]byte(text)) // nobody is left who could be told of a failure
	}
}

// Stopping says that the service ends; the goroutine ends too.
func (n *Notifier) Stopping() {
	if n == nil {
		return
	}
	close(n.quit)
	n.wait.Wait()
	n.say("STOPPING=1")
}

// Close disconnects, after Stopping.
func (n *Notifier) Close() error {
	if n == nil {
		return nil
	}
	return n.conn.Close()
}

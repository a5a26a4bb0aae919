package output

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jfreymuth/pulse/proto"
)

const (
	pulseTimeout = 3 * time.Second // for a connection, a request, or the server to take what is sent
	pulsePort    = "4713"
)

// pulseConn is a connection to a PulseAudio server that tells when, and why, it
// is of no more use.
type pulseConn struct {
	net.Conn
	client *proto.Client
	xruns  atomic.Uint64

	once   sync.Once
	gone   chan struct{}
	reason error // valid once gone is closed
}

// dialPulse connects to the server that PULSE_SERVER names, else to the user's,
// else to the system's.
func dialPulse() (*pulseConn, error) {
	var problems []error
	for _, address := range pulseServers() {
		c, err := connectPulse(address)
		if err == nil {
			return c, nil
		}
		problems = append(problems, err)
	}
	return nil, fmt.Errorf("no PulseAudio server answers, start one or name it in PULSE_SERVER: %w", errors.Join(problems...))
}

// pulseServers lists addresses as PULSE_SERVER has them.
func pulseServers() []string {
	if named := strings.Fields(os.Getenv("PULSE_SERVER")); len(named) > 0 {
		return named
	}
	var all []string
	runtime := os.Getenv("XDG_RUNTIME_DIR")
	if runtime == "" {
		runtime = fmt.Sprintf("/run/user/%d", os.Getuid())
	}
	for _, dir := range []string{os.Getenv("PULSE_RUNTIME_PATH"), filepath.Join(runtime, "pulse"), "/run/pulse"} {
		if dir != "" {
			all = append(all, "unix:"+filepath.Join(dir, "native"))
		}
	}
	return all
}

// connectPulse dials one server: a path, unix:PATH, tcp:HOST[:PORT] or HOST, with
// an optional {MACHINE} before it.
func connectPulse(address string) (*pulseConn, error) {
	if _, rest, ok := strings.Cut(address, "}"); ok {
		address = rest
	}
	network, at, ok := strings.Cut(address, ":")
	switch {
	case strings.HasPrefix(address, "/"):
		network, at = "unix", address
	case !ok || network != "unix" && !strings.HasPrefix(network, "tcp"):
		network, at = "tcp", address
	}
	if network != "unix" {
		if _, _, err := net.SplitHostPort(at); err != nil {
			at = net.JoinHostPort(strings.Trim(at, "[]"), pulsePort)
		}
	}
	conn, err := net.DialTimeout(network, at, pulseTimeout)
	if err != nil {
		return nil, err
	}
	c := &pulseConn{Conn: conn, client: new(proto.Client), gone: make(chan struct{})}
	c.client.SetTimeout(pulseTimeout)
	c.client.Callback = c.message
	c.client.Open(c)
	if err := c.greet(); err != nil {
		c.close()
		return nil, fmt.Errorf("the PulseAudio server at %s does not let us in: %w", at, err)
	}
	return c, nil
}

// greet shows the cookie, which a server that trusts its own user does not look
// at, and says who we are.
func (c *pulseConn) greet() error {
	cookie := make([]byte, 256)
	for _, path := range []string{os.Getenv("PULSE_COOKIE"), filepath.Join(os.Getenv("HOME"), ".config", "pulse", "cookie")} {
		if b, err := os.ReadFile(path); err == nil && len(b) == len(cookie) {
			cookie = b
			break
		}
	}
	var auth proto.AuthReply
	if err := c.client.Request(&proto.Auth{Version: c.client.Version(), Cookie: cookie}, &auth); err != nil {
		return err
	}
	c.client.SetVersion(auth.Version)
	return c.client.Request(&proto.SetClientName{Props: proto.PropList{
		"application.name":      proto.PropListString("Tutti"),
		"application.id":        proto.PropListString("audio.tutti.Tutti"),
		"application.icon_name": proto.PropListString("audio-speakers"),
	}}, &proto.SetClientNameReply{})
}

// message takes what the server says by itself; the client's goroutine calls it.
func (c *pulseConn) message(m any) {
	switch m := m.(type) {
	case *proto.Underflow, *proto.Overflow:
		c.xruns.Add(1)
	case *proto.PlaybackStreamKilled:
		c.lose(errors.New("the sink was removed"))
	case *proto.PlaybackStreamMoved:
		c.lose(fmt.Errorf("the stream was moved to sink %s", m.DestName))
	case *proto.PlaybackStreamSuspended:
		if m.Suspended {
			c.lose(errors.New("the sink was suspended"))
		}
	case *proto.ConnectionClosed:
		c.lose(errors.New("the server has closed the connection"))
	}
}

// Read notices the end of the connection, and Write a server that takes nothing.
func (c *pulseConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		c.lose(fmt.Errorf("the server is gone: %w", err))
	}
	return n, err
}

func (c *pulseConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(pulseTimeout)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(b)
	if err != nil {
		c.lose(fmt.Errorf("the server takes nothing: %w", err))
	}
	return n, err
}

func (c *pulseConn) lose(reason error) {
	c.once.Do(func() {
		c.reason = fmt.Errorf("%w: %w", ErrGone, reason)
		close(c.gone)
	})
}

// lost returns why the connection is of no more use, or nil.
func (c *pulseConn) lost() error {
	select {
	case <-c.gone:
		return c.reason
	default:
		return nil
	}
}

func (c *pulseConn) close() {
	c.lose(net.ErrClosed)
	_ = c.Close()
}

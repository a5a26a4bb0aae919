package tcp

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// segment is how long the segments are that a connection sends.
func segment(t *testing.T, c net.Conn) (bytes int) {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { bytes, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

// pair connects by the functions given.
func pair(t *testing.T, listen func(network, address string) (net.Listener, error), dial func(address string) (net.Conn, error)) (client, server net.Conn) {
	t.Helper()
	l, err := listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = dial(l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return client, server
}

// TestSegments: whichever end is ours, both send short segments.
func TestSegments(t *testing.T) {
	ours := func(address string) (net.Conn, error) { return Dial(t.Context(), "tcp", address) }
	others := func(address string) (net.Conn, error) { return net.Dial("tcp", address) }
	for name, c := range map[string]struct {
		listen func(network, address string) (net.Listener, error)
		dial   func(address string) (net.Conn, error)
	}{"dialling": {net.Listen, ours}, "listening": {Listen, others}} {
		client, server := pair(t, c.listen, c.dial)
		if a, b := segment(t, client), segment(t, server); a > maxSegment || b > maxSegment {
			t.Errorf("%s: segments of %d and %d bytes, want at most %d", name, a, b, maxSegment)
		}
	}
	if client, _ := pair(t, net.Listen, others); segment(t, client) <= maxSegment {
		t.Error("loopback has short segments anyway, so nothing was shown")
	}
}

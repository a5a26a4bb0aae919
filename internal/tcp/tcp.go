// Package tcp makes TCP connections that get through paths which lose long packets
// without a word: tunnels, and routers that drop the ICMP messages by which a host
// would learn of it. Neither end sends segments that are longer than what every IPv6
// path takes (RFC 8200, section 5), which costs a fiftieth of the throughput.
//
// UDP needs nothing of the kind: docs/spec, section 1, bounds what is sent.
package tcp

import (
	"context"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxSegment is 1,280 bytes less the headers of IPv6 and TCP.
const maxSegment = 1280 - 40 - 20

// Dial connects, as net.Dialer's DialContext does.
func Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return (&net.Dialer{Control: limit}).DialContext(ctx, network, address)
}

// Listen listens, as net.Listen does.
func Listen(network, address string) (net.Listener, error) {
	return (&net.ListenConfig{Control: limit}).Listen(context.Background(), network, address)
}

// limit bounds what the socket sends, and what it asks the other end to send. Where the
// system does not do that, connections are as they were.
func limit(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG, maxSegment)
	})
}

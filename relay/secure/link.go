package secure

import (
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/pion/logging"
	"github.com/pion/transport/v5/packetio"
)

// link is the net.PacketConn of one association: what comes is handed in, what goes
// leaves by the shared port.
type link struct {
	endpoint *Endpoint
	to       netip.AddrPort
	inbox    *packetio.Buffer
	proved   atomic.Bool  // its address
	credit   atomic.Int64 // bytes that may still be sent to an address without proof
}

func newLink(e *Endpoint, to netip.AddrPort, known bool) *link {
	l := &link{endpoint: e, to: to, inbox: packetio.NewBuffer()}
	l.inbox.SetLimitSize(inboxSize)
	l.proved.Store(known)
	return l
}

// deliver hands a datagram in; it is lost when nobody reads.
func (l *link) deliver(b []byte) {
	l.credit.Add(int64(len(b)))
	_, _ = l.inbox.Write(b, nil)
}

func (l *link) addr() net.Addr { return net.UDPAddrFromAddrPort(l.to) }

// ReadFrom implements net.PacketConn.
func (l *link) ReadFrom(b []byte) (int, net.Addr, error) {
	n, _, err := l.inbox.Read(b, nil)
	return n, l.addr(), err
}

// WriteTo implements net.PacketConn. The first ServerHello shows that the library
// has seen its cookie again.
func (l *link) WriteTo(b []byte, _ net.Addr) (int, error) {
	if !l.proved.Load() {
		if isServerHello(b) {
			l.proved.Store(true)
			l.endpoint.config.Proved(l.to)
		} else if l.credit.Add(-int64(len(b))) < 0 {
			return len(b), nil
		}
	}
	l.endpoint.config.Send(b, l.to)
	return len(b), nil
}

func isServerHello(b []byte) bool {
	const handshake, serverHello, header = 22, 2, 13
	return len(b) > header && b[0] == handshake && b[header] == serverHello
}

// Close implements net.PacketConn.
func (l *link) Close() error { return l.inbox.Close() }

// LocalAddr implements net.PacketConn.
func (l *link) LocalAddr() net.Addr { return &net.UDPAddr{} }

// SetDeadline implements net.PacketConn.
func (l *link) SetDeadline(t time.Time) error { return l.inbox.SetReadDeadline(t) }

// SetReadDeadline implements net.PacketConn.
func (l *link) SetReadDeadline(t time.Time) error { return l.inbox.SetReadDeadline(t) }

// SetWriteDeadline implements net.PacketConn; writing never waits.
func (l *link) SetWriteDeadline(time.Time) error { return nil }

// quiet is a logger for the library that says nothing: what a stranger sends is not
// worth a line each, and is counted.
type quiet struct{}

// NewLogger implements logging.LoggerFactory.
func (quiet) NewLogger(string) logging.LeveledLogger {
	return &logging.DefaultLeveledLogger{}
}

package dtlssrtp

import (
	"net"
	"os"
	"sync"
	"time"
)

// pipe is the net.PacketConn that DTLS sees: what is put into it, and the path for
// what it sends.
type pipe struct {
	under net.Conn
	in    chan []byte
	over  chan struct{}
	once  sync.Once

	mu    sync.Mutex
	until time.Time // read deadline
	moved chan struct{}
}

const pipeRoom = 32 // datagrams

func newPipe(under net.Conn) *pipe {
	return &pipe{under: under, in: make(chan []byte, pipeRoom), over: make(chan struct{}), moved: make(chan struct{})}
}

// put takes a datagram if it is DTLS; one that finds no room is lost.
func (p *pipe) put(b []byte) bool {
	if len(b) == 0 || b[0] < 20 || b[0] > 63 {
		return false
	}
	select {
	case p.in <- append([]byte(nil), b...):
	default:
	}
	return true
}

func (p *pipe) end() { p.once.Do(func() { close(p.over) }) }

// ReadFrom implements net.PacketConn.
func (p *pipe) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		p.mu.Lock()
		until, moved := p.until, p.moved
		p.mu.Unlock()
		var late <-chan time.Time
		if !until.IsZero() {
			left := time.Until(until)
			if left <= 0 {
				return 0, nil, os.ErrDeadlineExceeded
			}
			timer := time.NewTimer(left)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case d := <-p.in:
			return copy(b, d), p.under.RemoteAddr(), nil
		case <-p.over:
			return 0, nil, net.ErrClosed
		case <-late:
			return 0, nil, os.ErrDeadlineExceeded
		case <-moved:
		}
	}
}

// WriteTo implements net.PacketConn.
func (p *pipe) WriteTo(b []byte, _ net.Addr) (int, error) { return p.under.Write(b) }

// Close implements net.PacketConn. The path is not DTLS's to close.
func (p *pipe) Close() error {
	p.end()
	return nil
}

// LocalAddr implements net.PacketConn.
func (p *pipe) LocalAddr() net.Addr { return p.under.LocalAddr() }

// SetReadDeadline implements net.PacketConn.
func (p *pipe) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = t
	close(p.moved)
	p.moved = make(chan struct{})
	return nil
}

// SetWriteDeadline implements net.PacketConn: writing does not wait.
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline implements net.PacketConn.
func (p *pipe) SetDeadline(t time.Time) error { return p.SetReadDeadline(t) }

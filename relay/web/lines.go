package web

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/tutti-audio/tutti/ostp/line"
	"github.com/tutti-audio/tutti/relay/hub"
)

// silentFor is how long a connection with lines may say nothing.
const silentFor = 15 * time.Second

// talker is one member that speaks lines over TCP. Media is not carried there.
type talker struct{ *queue }

// Line implements hub.Sink.
func (t talker) Line(b []byte) { t.say(append([]byte(nil), b...)) }

// Media implements hub.Sink; it is not called.
func (talker) Media(*hub.Shared) {}

// ServeLines serves lines over TCP on l until Close; then it returns nil.
func (s *Server) ServeLines(l net.Listener) error {
	defer context.AfterFunc(s.ctx, func() { _ = l.Close() })()
	for {
		conn, err := l.Accept()
		switch {
		case s.ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // no descriptors left, mostly
			time.Sleep(50 * time.Millisecond)
			continue
		}
		from, err := netip.ParseAddrPort(conn.RemoteAddr().String())
		if err != nil || !s.seat(from.Addr()) {
			_ = conn.Close()
			continue
		}
		go func() {
			defer s.unseat(from.Addr())
			s.talk(conn, from)
		}()
	}
}

// talk serves one connection.
func (s *Server) talk(conn net.Conn, from netip.AddrPort) {
	defer conn.Close()
	sink := talker{newQueue(&s.counts.Slow)}
	guest := s.config.Hub.Connect(from, sink, false)
	defer guest.Close()
	done := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		sink.write(conn, done)
		_ = conn.Close() // the reader is not to wait for a client that reads nothing
	})
	stop := context.AfterFunc(s.ctx, func() { _ = conn.SetReadDeadline(time.Now()) })
	read(s.ctx, conn, guest)
	stop()
	close(done)
	writer.Wait()
}

// read takes lines until one is too long, or none comes, or the context ends.
func read(ctx context.Context, conn net.Conn, guest *hub.Guest) {
	lines := bufio.NewReaderSize(conn, line.MaxSignal)
	for strangers := 0; guest.Joined() || strangers < maxStrange; strangers++ {
		_ = conn.SetReadDeadline(time.Now().Add(silentFor))
		if ctx.Err() != nil { // its end may have come before the deadline was set
			return
		}
		b, err := lines.ReadSlice('\n')
		if err != nil {
			return
		}
		guest.Line(b)
	}
}

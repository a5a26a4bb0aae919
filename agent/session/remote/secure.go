package remote

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"

	"github.com/tutti-audio/tutti/internal/dtlssrtp"
	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/internal/udp"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// secureLink is UDP under DTLS-SRTP: lines are data of DTLS, packets are SRTP.
type secureLink struct {
	udp.Way
	conn  *dtlssrtp.Conn
	clock *hostclock.Clock
	in    chan datagram
	over  chan struct{}
	once  sync.Once
	wait  sync.WaitGroup
}

type datagram struct {
	b  []byte
	at timebase.Local
}

const secureRoom = 64 // datagrams that wait to be read

// dialSecure agrees on keys with a relay that has a certificate for its name.
func dialSecure(ctx context.Context, e Endpoint, clock *hostclock.Clock) (link, error) {
	var dialer net.Dialer
	under, err := dialer.DialContext(ctx, "udp", net.JoinHostPort(e.Host, strconv.Itoa(int(e.UDP))))
	if err != nil {
		return nil, fmt.Errorf("no way to the relay %s: %w", e, err)
	}
	conn, err := dtlssrtp.HandshakeWith(ctx, under, e.Host, e.Roots)
	if err != nil {
		return nil, fmt.Errorf("relay %s: %w", e, err)
	}
	l := &secureLink{Way: udp.WayOf(under), conn: conn, clock: clock, in: make(chan datagram, secureRoom), over: make(chan struct{})}
	l.wait.Go(l.packets)
	l.wait.Go(l.lines)
	return l, nil
}

// packets takes in what comes as SRTP.
func (l *secureLink) packets() {
	defer l.end()
	for {
		b, err := l.conn.Read()
		if err != nil || !l.put(b) {
			return
		}
	}
}

// lines takes in what comes as data of DTLS.
func (l *secureLink) lines() {
	defer l.end()
	buf := make([]byte, maxPacket)
	for {
		n, err := l.conn.ReadData(buf)
		if err != nil || !l.put(buf[:n]) {
			return
		}
	}
}

// put hands a datagram on; it reports false when the link is over.
func (l *secureLink) put(b []byte) bool {
	select {
	case l.in <- datagram{append([]byte(nil), b...), l.clock.Now()}:
		return true
	case <-l.over:
		return false
	}
}

func (l *secureLink) read(buf []byte) (int, timebase.Local, error) {
	select {
	case d := <-l.in:
		return copy(buf, d.b), d.at, nil
	case <-l.over:
		return 0, 0, net.ErrClosed
	}
}

func (l *secureLink) write(b []byte) error {
	if len(b) > 0 && b[0]>>6 == 2 {
		return l.conn.Write(b)
	}
	return l.conn.WriteData(b)
}

func (l *secureLink) end() { l.once.Do(func() { close(l.over) }) }

func (l *secureLink) close() {
	l.end()
	_ = l.conn.Close()
	l.wait.Wait()
}

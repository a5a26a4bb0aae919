package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http/httptrace"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/internal/udp"
	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// link carries datagrams, lines and packets, to and from a relay. Reads belong to one
// goroutine, writes may come from any; close ends both. Look says whether this host would
// reach the relay from another address now, and whether the one that it has used is gone.
type link interface {
	read(buf []byte) (n int, at timebase.Local, err error)
	write(b []byte) error
	close()
	Look() (other, gone bool)
}

// udpLink is plain UDP.
type udpLink struct {
	udp.Way
	conn  *udp.Conn
	relay netip.AddrPort
}

// dialUDP resolves the relay's name and opens a socket towards it.
func dialUDP(ctx context.Context, e Endpoint, clock *hostclock.Clock) (link, error) {
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", e.Host)
	if err != nil {
		return nil, fmt.Errorf("relay %s is not known: %w", e.Host, err)
	}
	for _, a := range addrs {
		a = a.Unmap()
		_, local, wayErr := udp.InterfaceTo(a)
		if wayErr != nil {
			err = wayErr
			continue
		}
		conn, openErr := udp.Listen(netip.AddrPortFrom(local, 0), udp.Options{}, clock)
		if openErr == nil {
			return &udpLink{Way: udp.Way{Local: local, To: a}, conn: conn, relay: netip.AddrPortFrom(a, e.UDP)}, nil
		}
		err = openErr
	}
	return nil, fmt.Errorf("no way to the relay %s: %w", e, err)
}

func (l *udpLink) read(buf []byte) (int, timebase.Local, error) {
	for {
		n, from, at, err := l.conn.Read(buf)
		if err != nil {
			return 0, 0, err
		}
		if n > 0 && from.Port() == l.relay.Port() && from.Addr().Unmap().WithZone("") == l.relay.Addr() {
			return n, at, nil
		}
	}
}

func (l *udpLink) write(b []byte) error {
	_, err := l.conn.WriteToUDPAddrPort(b, l.relay)
	return err
}

func (l *udpLink) close() { l.conn.Close() }

// webLink is a WebSocket, for networks that let no UDP through: lines are text
// messages, packets binary ones. What is to be written waits in a queue, because a
// connection may stand still and the thread that paces may not.
type webLink struct {
	udp.Way
	conn  *websocket.Conn
	clock *hostclock.Clock
	queue chan []byte
	ctx   context.Context
	end   context.CancelFunc
	wait  sync.WaitGroup
}

const (
	writeFor = time.Second // a message that cannot be written for so long ends the link
	webRoom  = 64          // messages that wait to be written
)

var errBehind = errors.New("the connection does not take what is written to it")

func dialWeb(ctx context.Context, e Endpoint, clock *hostclock.Clock) (link, error) {
	dialing, done := context.WithTimeout(ctx, joinFor)
	defer done()
	var way udp.Way
	dialing = httptrace.WithClientTrace(dialing, &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) { way = udp.WayOf(got.Conn) }})
	address := "ws" + strings.TrimPrefix(e.URL("/ws/audio?lines=1"), "http")
	conn, response, err := websocket.Dial(dialing, address, &websocket.DialOptions{CompressionMode: websocket.CompressionDisabled, HTTPClient: e.client()})
	if err != nil {
		return nil, fmt.Errorf("relay %s takes no WebSocket: %w", e.Host, err)
	}
	if response.Body != nil {
		_ = response.Body.Close()
	}
	conn.SetReadLimit(ostp.MaxPacket)
	l := &webLink{Way: way, conn: conn, clock: clock, queue: make(chan []byte, webRoom)}
	l.ctx, l.end = context.WithCancel(context.WithoutCancel(ctx))
	l.wait.Go(l.send)
	return l, nil
}

func (l *webLink) read(buf []byte) (int, timebase.Local, error) {
	_, reader, err := l.conn.Reader(l.ctx)
	if err != nil {
		return 0, 0, net.ErrClosed
	}
	n := 0
	for n < len(buf) {
		k, err := reader.Read(buf[n:])
		n += k
		if err != nil {
			break // its end
		}
	}
	return n, l.clock.Now(), nil
}

// write puts a message into the queue, where there is room.
func (l *webLink) write(b []byte) error {
	select {
	case l.queue <- append([]byte(nil), b...):
		return nil
	default:
		return errBehind
	}
}

// send writes what waits until the link ends.
func (l *webLink) send() {
	for {
		select {
		case <-l.ctx.Done():
			return
		case b := <-l.queue:
			if l.sendOne(b) != nil {
				l.end() // which ends what reads, too
				return
			}
		}
	}
}

func (l *webLink) sendOne(b []byte) error {
	kind := websocket.MessageText
	if len(b) > 0 && b[0]>>6 == 2 {
		kind = websocket.MessageBinary
	}
	ctx, cancel := context.WithTimeout(l.ctx, writeFor)
	defer cancel()
	return l.conn.Write(ctx, kind, b)
}

func (l *webLink) close() {
	l.end()
	_ = l.conn.CloseNow()
	l.wait.Wait()
}

package web

import (
	"net"
	"sync/atomic"
	"time"
)

const (
	queueMedia  = 128              // frames; the oldest is dropped for a slow client
	queueLines  = 64               // a client that does not read so many is cut off
	writeBatch  = 16               // frames written at once
	writeWithin = 10 * time.Second // or the client is gone
)

// queue is what waits for one connection. push and say never wait; write belongs to
// one goroutine.
type queue struct {
	media chan []byte
	lines chan []byte
	full  chan struct{} // closed when lines overflow
	cut   atomic.Bool
	slow  *atomic.Uint64
}

func newQueue(slow *atomic.Uint64) *queue {
	return &queue{media: make(chan []byte, queueMedia), lines: make(chan []byte, queueLines), full: make(chan struct{}), slow: slow}
}

// push adds media, for which the oldest makes room.
func (q *queue) push(b []byte) {
	for {
		select {
		case q.media <- b:
			return
		default:
		}
		select {
		case <-q.media:
			q.slow.Add(1)
		default:
		}
	}
}

// say adds a line.
func (q *queue) say(b []byte) {
	select {
	case q.lines <- b:
	default:
		if q.cut.CompareAndSwap(false, true) {
			close(q.full)
		}
	}
}

// write sends what comes until done is closed or the client is gone. What is left
// of the lines is still sent then.
func (q *queue) write(conn net.Conn, done <-chan struct{}) {
	buffers := make([][]byte, 0, writeBatch)
	for {
		buffers = buffers[:0]
		select {
		case <-done:
			q.finish(conn)
			return
		case <-q.full:
			return
		case b := <-q.lines:
			buffers = append(buffers, b)
		case b := <-q.media:
			buffers = append(buffers, b)
		}
		for more := true; more && len(buffers) < writeBatch; {
			select {
			case b := <-q.lines:
				buffers = append(buffers, b)
			case b := <-q.media:
				buffers = append(buffers, b)
			default:
				more = false
			}
		}
		if !send(conn, buffers) {
			return
		}
	}
}

func (q *queue) finish(conn net.Conn) {
	for {
		select {
		case b := <-q.lines:
			if !send(conn, [][]byte{b}) {
				return
			}
		default:
			return
		}
	}
}

// send writes all at once.
func send(conn net.Conn, buffers [][]byte) bool {
	_ = conn.SetWriteDeadline(time.Now().Add(writeWithin))
	if w, ok := conn.(interface{ writev(net.Buffers) error }); ok {
		return w.writev(buffers) == nil
	}
	b := net.Buffers(buffers)
	_, err := b.WriteTo(conn)
	return err == nil
}

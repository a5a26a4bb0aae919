package udp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// Batch is a socket that is read many datagrams at a time (recvmmsg) by whoever
// wakes up by himself: it is not in the runtime's poller, so that a datagram
// wakes nobody. Nothing here waits, and reading allocates nothing. A Batch belongs
// to one goroutine, but Send may be called from another; Close may be called once
// nobody uses it any more.
type Batch struct {
	clock    *hostclock.Clock
	fd       int
	port     uint16
	messages []mmsghdr
	vectors  []unix.Iovec
	names    []unix.RawSockaddrInet6 // room for either family
	controls [][controlSize]byte
	buffers  [][]byte
	count    int
	stamps   stampReader
}

// mmsghdr is struct mmsghdr of recvmmsg(2); the compiler pads it as C does.
type mmsghdr struct {
	header unix.Msghdr
	length uint32
}

// Batch turns the socket into one that is read up to n datagrams of up to size
// bytes at a time. The Conn is closed.
func (c *Conn) Batch(n, size int) (*Batch, error) {
	b := &Batch{
		clock: c.clock, port: c.Port(), messages: make([]mmsghdr, n), vectors: make([]unix.Iovec, n), names: make([]unix.RawSockaddrInet6, n),
		controls: make([][controlSize]byte, n), buffers: make([][]byte, n),
	}
	var dup error
	err := c.raw.Control(func(fd uintptr) { b.fd, dup = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(err, dup, c.Close()); err != nil {
		return nil, fmt.Errorf("cannot take the socket over: %w", err)
	}
	for i := range n {
		b.buffers[i] = make([]byte, size)
		b.vectors[i].Base = &b.buffers[i][0]
		b.vectors[i].SetLen(size)
		h := &b.messages[i].header
		h.Name = (*byte)(unsafe.Pointer(&b.names[i]))
		h.Iov = &b.vectors[i]
		h.SetIovlen(1)
		h.Control = &b.controls[i][0]
	}
	return b, nil
}

// Receive reads what is there and returns how many datagrams that were.
func (b *Batch) Receive() int {
	for i := range b.messages {
		h := &b.messages[i].header
		h.Namelen = unix.SizeofSockaddrInet6
		h.SetControllen(controlSize)
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(b.fd), uintptr(unsafe.Pointer(&b.messages[0])), uintptr(len(b.messages)), unix.MSG_DONTWAIT, 0, 0)
	b.count = int(n)
	if errno != 0 { // nothing there, mostly
		b.count = 0
	}
	return b.count
}

// Send sends one datagram, or drops it when the kernel has no room.
func (b *Batch) Send(data []byte, to unix.Sockaddr) error {
	return unix.Sendto(b.fd, data, unix.MSG_DONTWAIT, to)
}

// NextSent is Conn.NextSent.
func (b *Batch) NextSent() (sent Sent, ok bool) { return b.stamps.next(b.fd, b.clock) }

// Sockaddr is an address as Send takes it.
func Sockaddr(to netip.AddrPort) (unix.Sockaddr, error) {
	if a := to.Addr().Unmap(); a.Is4() {
		return &unix.SockaddrInet4{Port: int(to.Port()), Addr: a.As4()}, nil
	}
	s := &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
	if zone := to.Addr().Zone(); zone != "" {
		ifi, err := net.InterfaceByName(zone)
		if err != nil {
			return nil, fmt.Errorf("no interface for %v: %w", to, err)
		}
		s.ZoneId = uint32(ifi.Index)
	}
	return s, nil
}

// Close closes the socket.
func (b *Batch) Close() error { return unix.Close(b.fd) }

// Port returns the local port.
func (b *Batch) Port() uint16 { return b.port }

// Len returns how many datagrams the last Receive read.
func (b *Batch) Len() int { return b.count }

// At returns datagram i of the last Receive: its bytes, which stay until the next
// one, who sent it (without a zone), and when it arrived.
func (b *Batch) At(i int) (data []byte, from netip.AddrPort, at timebase.Local) {
	m := &b.messages[i]
	data = b.buffers[i][:m.length]
	from = addrPort(&b.names[i])
	if stamp, ok := findStamp(b.controls[i][:m.header.Controllen]); ok {
		if at, ok = b.clock.FromRealtime(stamp); ok {
			return data, from, at
		}
	}
	return data, from, b.clock.Now()
}

// addrPort reads a socket address of either family.
func addrPort(name *unix.RawSockaddrInet6) netip.AddrPort {
	port := func(p *uint16) uint16 { return binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(p))[:]) }
	if name.Family == unix.AF_INET {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), port(&v4.Port))
	}
	return netip.AddrPortFrom(netip.AddrFrom16(name.Addr).Unmap(), port(&name.Port))
}

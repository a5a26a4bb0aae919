package udp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	sendBatch  = 64      // more at once would delay a stop of the world
	portBuffer = 4 << 20 // bytes each way
	roomWithin = 2       // ms to wait for room in the send buffer
	linger     = 2       // ms to wait for the next datagram before being parked
)

// Port is one of several sockets that share a UDP port (SO_REUSEPORT), so that
// several goroutines serve it: a relay's. The kernel gives all datagrams of one sender
// to the same Port. Datagrams are not stamped. Nothing allocates but Name.
//
// Who waits for long is parked in the runtime's poller (see bell); all else are system
// calls that the runtime is not told of. Were it, it would watch at 20 µs a look, for a
// millisecond after each, whether to give the caller's place to another: a tenth to a
// fifth of what passing on a stream costs. Where datagrams come less than 2 ms after each
// other, being parked and woken elsewhere costs more than that: then the caller keeps its
// place and its thread for as long.
//
// Wait and Datagram belong to one goroutine; Send, Fan and Wake may be called from any.
// Close may be called once nobody uses the Port any more.
type Port struct {
	fd       int
	bell     *bell
	dense    bool // what came last came soon after what was before
	v6       bool
	local    netip.AddrPort
	messages []mmsghdr
	vectors  []unix.Iovec
	names    []Name
	buffers  [][]byte
}

// Name is an address as the kernel takes it. It must not be changed once it is in
// use; a copy is another's.
type Name struct {
	raw  unix.RawSockaddrInet6 // room for either family
	size uint32
}

// AddrPort returns the address that n names, IPv4 as IPv4.
func (n *Name) AddrPort() netip.AddrPort { return addrPort(&n.raw) }

// Is reports whether both name one address; nobody is nil.
func (n *Name) Is(other *Name) bool {
	return other != nil && n.raw.Port == other.raw.Port && n.size == other.size && n.raw == other.raw
}

// ListenPorts opens count sockets on one address. Each reads up to batch datagrams
// of up to size bytes at a time. An unspecified address is both families', where
// the system has both.
func ListenPorts(local netip.AddrPort, count, batch, size int) ([]*Port, error) {
	var ports []*Port
	for range count {
		p, err := listenPort(local, batch, size)
		if err != nil {
			for _, p := range ports {
				_ = p.Close()
			}
			return nil, err
		}
		ports, local = append(ports, p), netip.AddrPortFrom(local.Addr(), p.local.Port())
	}
	return ports, nil
}

func listenPort(local netip.AddrPort, batch, size int) (*Port, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if e := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) }); e != nil {
			return e
		}
		return err
	}}
	text := local.String()
	if !local.Addr().IsValid() || local.Addr().IsUnspecified() {
		text = fmt.Sprintf(":%d", local.Port())
	}
	conn, err := config.ListenPacket(context.Background(), "udp", text)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on UDP %s: %w", text, err)
	}
	defer conn.Close()
	p := &Port{
		local: conn.LocalAddr().(*net.UDPAddr).AddrPort(), messages: make([]mmsghdr, batch), vectors: make([]unix.Iovec, batch),
		names: make([]Name, batch), buffers: make([][]byte, batch),
	}
	raw, err := conn.(*net.UDPConn).SyscallConn()
	if err != nil {
		return nil, err
	}
	if e := raw.Control(func(fd uintptr) { err = p.take(fd) }); e != nil || err != nil {
		return nil, fmt.Errorf("cannot take the socket over: %w", errors.Join(e, err))
	}
	for i := range batch {
		p.buffers[i] = make([]byte, size)
		p.vectors[i].Base = &p.buffers[i][0]
		p.vectors[i].SetLen(size)
		h := &p.messages[i].header
		h.Name, h.Iov = (*byte)(unsafe.Pointer(&p.names[i].raw)), &p.vectors[i]
		h.SetIovlen(1)
	}
	return p, nil
}

// take copies the descriptor, and enlarges its buffers as far as the system lets it.
func (p *Port) take(fd uintptr) (err error) {
	if p.fd, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); err != nil {
		return err
	}
	if p.bell, err = newBell(p.fd); err != nil {
		return errors.Join(err, unix.Close(p.fd))
	}
	domain, err := unix.GetsockoptInt(p.fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	p.v6 = err == nil && domain == unix.AF_INET6
	for force, plain := range map[int]int{unix.SO_RCVBUFFORCE: unix.SO_RCVBUF, unix.SO_SNDBUFFORCE: unix.SO_SNDBUF} {
		if unix.SetsockoptInt(p.fd, unix.SOL_SOCKET, force, portBuffer) != nil {
			_ = unix.SetsockoptInt(p.fd, unix.SOL_SOCKET, plain, portBuffer)
		}
	}
	return nil
}

// LocalAddr returns the address the socket is bound to.
func (p *Port) LocalAddr() netip.AddrPort { return p.local }

// Close closes the socket.
func (p *Port) Close() error { return errors.Join(p.bell.close(), unix.Close(p.fd)) }

// Wake ends a Wait that finds nothing, and all such that come.
func (p *Port) Wake() { p.bell.stop() }

// Name returns an address as this socket's family has it. ok is false for IPv6 on a
// socket that has IPv4 alone.
func (p *Port) Name(a netip.AddrPort) (n Name, ok bool) {
	addr := a.Addr().Unmap()
	if p.v6 {
		n.raw = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: a.Addr().As16()}
		n.size = unix.SizeofSockaddrInet6
		binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&n.raw.Port))[:], a.Port())
		return n, true
	}
	if !addr.Is4() {
		return n, false
	}
	v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(&n.raw))
	*v4 = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: addr.As4()}
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&v4.Port))[:], a.Port())
	n.size = unix.SizeofSockaddrInet4
	return n, true
}

// Wait waits until datagrams are there and returns how many it read; none after Wake.
func (p *Port) Wait() (int, error) {
	for {
		n, errno := p.receive()
		switch {
		case errno == 0:
			return n, nil
		case errno == unix.EINTR || errno == unix.ECONNREFUSED: // an ICMP message of somebody gone
			continue
		case errno != unix.EAGAIN:
			return 0, fmt.Errorf("cannot read the UDP socket: %w", errno)
		}
		if p.dense && p.lingers() {
			continue
		}
		began := time.Now()
		if err := p.bell.wait(); errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, nil
		} else if err != nil {
			return 0, fmt.Errorf("cannot wait for the UDP socket: %w", err)
		}
		p.dense = time.Since(began) < linger*time.Millisecond
	}
}

// receive reads what is there.
func (p *Port) receive() (int, syscall.Errno) {
	for i := range p.messages {
		p.messages[i].header.Namelen = unix.SizeofSockaddrInet6
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(p.fd), uintptr(unsafe.Pointer(&p.messages[0])), uintptr(len(p.messages)), unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

// lingers reports whether something comes within a moment.
func (p *Port) lingers() bool {
	poll, within := unix.PollFd{Fd: int32(p.fd), Events: unix.POLLIN}, unix.Timespec{Nsec: linger * 1e6}
	n, _, _ := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&poll)), 1, uintptr(unsafe.Pointer(&within)), 0, 0, 0)
	return int(n) == 1
}

// Datagram returns datagram i of the last Wait and who sent it; both stay until the
// next.
func (p *Port) Datagram(i int) ([]byte, *Name) {
	m := &p.messages[i]
	p.names[i].size = m.header.Namelen
	return p.buffers[i][:m.length], &p.names[i]
}

// Send sends one datagram. It does not wait for room.
func (p *Port) Send(b []byte, to *Name) error {
	if len(b) == 0 {
		return nil
	}
	_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(p.fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&to.raw)), uintptr(to.size))
	if errno != 0 {
		return errno
	}
	return nil
}

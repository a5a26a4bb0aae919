// Package udp is the datagram sockets of Tutti: multicast on one interface,
// datagrams with the kernel's own receive and transmit stamps, and no allocation
// per packet.
//
// The kernel stamps in CLOCK_REALTIME; here stamps are turned into local time at
// once, so that a step of the wall clock goes no further than this package. A
// datagram without a believable stamp is given the instant it was read.
//
// Reads belong to one goroutine; writes may come from another; Close from any.
// Kernel documentation: networking/timestamping.
package udp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const (
	receiveBuffer = 1 << 20 // bytes; rides out bursts
	expedited     = 46 << 2 // DSCP EF: Wi-Fi puts it into the voice queue
	controlSize   = 256     // bytes of ancillary data
)

// Conn is a UDP socket with kernel stamps.
type Conn struct {
	*net.UDPConn
	clock    *hostclock.Clock
	raw      syscall.RawConn
	control  [controlSize]byte
	stamps   stampReader
	sent     Sent // what nextSent found
	hasSent  bool
	nextSent func(fd uintptr)
}

// Options say what a socket is for.
type Options struct {
	Group     netip.Addr     // multicast group to join; invalid: none
	Interface *net.Interface // to join on and send from; nil: as routed
	Sent      bool           // stamp what is sent, for NextSent
}

// Listen opens a socket on local. With a group, the socket is bound to it, so that
// nothing else arrives, and joined on Interface.
func Listen(local netip.AddrPort, o Options, clock *hostclock.Clock) (*Conn, error) {
	if o.Group.IsValid() {
		local = netip.AddrPortFrom(o.Group, local.Port())
		if o.Group.Is6() && o.Interface != nil {
			local = netip.AddrPortFrom(o.Group.WithZone(o.Interface.Name), local.Port())
		}
	}
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error { return setup(c, o) }}
	pc, err := config.ListenPacket(context.Background(), "udp", local.String())
	if err != nil {
		return nil, err
	}
	c := &Conn{UDPConn: pc.(*net.UDPConn), clock: clock}
	if c.raw, err = c.SyscallConn(); err == nil {
		err = c.prepare(o, local.Addr().Is6() && !local.Addr().Is4In6())
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	c.nextSent = func(fd uintptr) { c.sent, c.hasSent = c.stamps.next(int(fd), clock) }
	return c, nil
}

// setup sets what must be set before bind.
func setup(c syscall.RawConn, o Options) (err error) {
	if !o.Group.IsValid() {
		return nil
	}
	if e := c.Control(func(fd uintptr) {
		err = errors.Join(
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
	}); e != nil {
		return e
	}
	return err
}

// prepare sets what can be set after bind. What a kernel lacks it does without.
func (c *Conn) prepare(o Options, v6 bool) error {
	_ = c.SetReadBuffer(receiveBuffer)
	stamps := unix.SOF_TIMESTAMPING_RX_SOFTWARE | unix.SOF_TIMESTAMPING_SOFTWARE
	if o.Sent {
		stamps |= unix.SOF_TIMESTAMPING_TX_SOFTWARE | unix.SOF_TIMESTAMPING_OPT_ID | unix.SOF_TIMESTAMPING_OPT_TSONLY
	}
	if err := c.raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPING, stamps)
	}); err != nil {
		return err
	}
	if v6 {
		return c.prepare6(o)
	}
	p := ipv4.NewPacketConn(c.UDPConn)
	_ = p.SetTOS(expedited)
	_ = p.SetMulticastTTL(1)
	_ = p.SetMulticastLoopback(true)
	if o.Interface != nil {
		if err := p.SetMulticastInterface(o.Interface); err != nil {
			return fmt.Errorf("cannot send multicast on %s: %w", o.Interface.Name, err)
		}
	}
	if o.Group.IsValid() && o.Group.IsMulticast() {
		if err := p.JoinGroup(o.Interface, &net.UDPAddr{IP: o.Group.AsSlice()}); err != nil {
			return fmt.Errorf("cannot join %v on %s: %w", o.Group, nameOf(o.Interface), err)
		}
	}
	return nil
}

func (c *Conn) prepare6(o Options) error {
	p := ipv6.NewPacketConn(c.UDPConn)
	_ = p.SetTrafficClass(expedited)
	_ = p.SetMulticastHopLimit(1)
	_ = p.SetMulticastLoopback(true)
	if o.Interface != nil {
		if err := p.SetMulticastInterface(o.Interface); err != nil {
			return fmt.Errorf("cannot send multicast on %s: %w", o.Interface.Name, err)
		}
	}
	if o.Group.IsValid() && o.Group.IsMulticast() {
		if err := p.JoinGroup(o.Interface, &net.UDPAddr{IP: o.Group.WithZone("").AsSlice()}); err != nil {
			return fmt.Errorf("cannot join %v on %s: %w", o.Group, nameOf(o.Interface), err)
		}
	}
	return nil
}

func nameOf(i *net.Interface) string {
	if i == nil {
		return "the default interface"
	}
	return i.Name
}

// Read reads one datagram and says when it arrived.
func (c *Conn) Read(b []byte) (n int, from netip.AddrPort, at timebase.Local, err error) {
	n, oobn, _, from, err := c.ReadMsgUDPAddrPort(b, c.control[:])
	if err != nil {
		return n, from, 0, err
	}
	if stamp, ok := findStamp(c.control[:oobn]); ok {
		if at, ok = c.clock.FromRealtime(stamp); ok {
			return n, from, at, nil
		}
	}
	return n, from, c.clock.Now(), nil
}

// Port returns the local port.
func (c *Conn) Port() uint16 { return uint16(c.LocalAddr().(*net.UDPAddr).Port) }

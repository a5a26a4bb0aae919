package discovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// groups returns the multicast groups of mDNS, by family.
func groups() [2]netip.AddrPort {
	return [2]netip.AddrPort{
		netip.MustParseAddrPort("224.0.0.251:5353"),
		netip.MustParseAddrPort("[ff02::fb]:5353"),
	}
}

// sockets are one socket for each family, shared by all links.
type sockets struct {
	log    *slog.Logger
	conns  [2]net.PacketConn // nil: the system does not have the family
	p4     *ipv4.PacketConn
	p6     *ipv6.PacketConn
	joined [2]map[int]bool // links whose group we are in
	flood  atomic.Uint64   // packets beyond a sender's rate
}

// openSockets binds port 5353 beside other responders.
func openSockets(log *slog.Logger) (*sockets, error) {
	s := &sockets{log: log, joined: [2]map[int]bool{{}, {}}}
	err4, err6 := s.open4(), s.open6()
	if err4 != nil && err6 != nil {
		return nil, fmt.Errorf("discovery: cannot bind UDP port 5353 (%w); `ss -ulnp sport = 5353` shows a program that does not share it", errors.Join(err4, err6))
	}
	for _, err := range []error{err4, err6} {
		if err != nil {
			log.Warn("discovery: one of IPv4 and IPv6 is not available", "error", err)
		}
	}
	return s, nil
}

// bind opens a UDP socket at port 5353 that others may have too.
func bind(network string, options func(fd int) error) (net.PacketConn, error) {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		failed := raw.Control(func(fd uintptr) {
			err = errors.Join(
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1),
				options(int(fd)))
		})
		return errors.Join(failed, err)
	}}
	return config.ListenPacket(context.Background(), network, fmt.Sprintf(":%d", port))
}

func (s *sockets) open4() error {
	conn, err := bind("udp4", func(fd int) error {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0)
	})
	if err != nil {
		return err
	}
	p := ipv4.NewPacketConn(conn)
	err = errors.Join(p.SetControlMessage(ipv4.FlagInterface|ipv4.FlagDst, true),
		p.SetMulticastTTL(255), p.SetTTL(255), p.SetMulticastLoopback(true))
	if err != nil {
		conn.Close()
		return err
	}
	s.conns[v4], s.p4 = conn, p
	return nil
}

func (s *sockets) open6() error {
	conn, err := bind("udp6", func(fd int) error {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0)
	})
	if err != nil {
		return err
	}
	p := ipv6.NewPacketConn(conn)
	err = errors.Join(p.SetControlMessage(ipv6.FlagInterface|ipv6.FlagDst, true),
		p.SetMulticastHopLimit(255), p.SetHopLimit(255), p.SetMulticastLoopback(true))
	if err != nil {
		conn.Close()
		return err
	}
	s.conns[v6], s.p6 = conn, p
	return nil
}

// join makes the memberships fit the links: joined anew where a link is new, left
// where it went. Families that cannot be joined are marked unusable.
func (s *sockets) join(infos []linkInfo) {
	now := [2]map[int]bool{{}, {}}
	for i := range infos {
		for f := range infos[i].usable {
			if infos[i].usable[f] = infos[i].usable[f] && s.joinOne(f, &infos[i]); infos[i].usable[f] {
				now[f][infos[i].index] = true
			}
		}
	}
	for f := range s.joined {
		for index := range s.joined[f] {
			if !now[f][index] {
				_ = s.leave(f, index) // fails when the interface is gone, which is as good
			}
		}
	}
	s.joined = now
}

// joinOne joins a link's group unless that was done.
func (s *sockets) joinOne(f int, info *linkInfo) bool {
	if s.conns[f] == nil {
		return false
	}
	if s.joined[f][info.index] {
		return true
	}
	_ = s.leave(f, info.index) // of an interface that was there before
	group, ifi := net.UDPAddrFromAddrPort(groups()[f]), &net.Interface{Index: info.index}
	var err error
	if f == v4 {
		err = s.p4.JoinGroup(ifi, group)
	} else {
		err = s.p6.JoinGroup(ifi, group)
	}
	if err != nil {
		s.log.Debug("discovery: cannot join the group on a link; trying again", "link", info.name, "group", group, "error", err)
	}
	return err == nil
}

func (s *sockets) leave(f, index int) error {
	group, ifi := net.UDPAddrFromAddrPort(groups()[f]), &net.Interface{Index: index}
	switch {
	case s.conns[f] == nil:
		return nil
	case f == v4:
		return s.p4.LeaveGroup(ifi, group)
	}
	return s.p6.LeaveGroup(ifi, group)
}

// write sends a message from a link, whatever the routes.
func (s *sockets) write(o outgoing, l *link) error {
	if s.conns[o.family] == nil || l == nil {
		return net.ErrClosed
	}
	dst := o.dst
	if !dst.IsValid() {
		dst = groups()[o.family]
	}
	to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(dst.Addr().Unmap().WithZone(""), dst.Port()))
	var err error
	if o.family == v4 {
		cm := &ipv4.ControlMessage{IfIndex: o.link}
		for _, a := range l.addrs {
			if a.Addr().Is4() {
				cm.Src = a.Addr().AsSlice()
				break
			}
		}
		_, err = s.p4.WriteTo(o.data, cm, to)
		return err
	}
	_, err = s.p6.WriteTo(o.data, &ipv6.ControlMessage{IfIndex: o.link}, to)
	return err
}

// read passes packets on until stop.
func (s *sockets) read(f int, out chan<- packet, stop <-chan struct{}) {
	if s.conns[f] == nil {
		return
	}
	buf, senders := make([]byte, maxPacket+1), newGate()
	for {
		n, p, err := s.receive(f, buf)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			time.Sleep(10 * time.Millisecond) // a link's own trouble: never spin on it
			continue
		case !senders.pass(time.Now(), p.src.Addr()):
			s.flood.Add(1)
			continue
		}
		p.data = append([]byte(nil), buf[:n]...)
		select {
		case out <- p:
		case <-stop:
			return
		}
	}
}

// receive reads one packet into buf.
func (s *sockets) receive(f int, buf []byte) (n int, p packet, err error) {
	var src net.Addr
	var dst net.IP
	if f == v4 {
		var cm *ipv4.ControlMessage
		if n, cm, src, err = s.p4.ReadFrom(buf); err == nil && cm != nil {
			p.link, dst = cm.IfIndex, cm.Dst
		}
	} else {
		var cm *ipv6.ControlMessage
		if n, cm, src, err = s.p6.ReadFrom(buf); err == nil && cm != nil {
			p.link, dst = cm.IfIndex, cm.Dst
		}
	}
	if udp, ok := src.(*net.UDPAddr); ok {
		from := udp.AddrPort()
		p.src = netip.AddrPortFrom(from.Addr().Unmap().WithZone(""), from.Port())
	}
	p.group = dst.IsMulticast()
	return n, p, err
}

// close closes the sockets, which ends read.
func (s *sockets) close() error {
	var errs []error
	for _, c := range s.conns {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}

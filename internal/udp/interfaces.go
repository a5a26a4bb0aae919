package udp

import (
	"fmt"
	"net"
	"net/netip"
)

// InterfaceTo returns the interface by which addr is reached, and this host's
// address on it.
func InterfaceTo(addr netip.Addr) (*net.Interface, netip.Addr, error) {
	local, err := localTo(addr)
	if err != nil {
		return nil, netip.Addr{}, err
	}
	ifi, err := holding(local.WithZone(""))
	return ifi, local, err
}

func localTo(addr netip.Addr) (netip.Addr, error) {
	c, err := net.Dial("udp", netip.AddrPortFrom(addr, 9).String()) // sends nothing
	if err != nil {
		return netip.Addr{}, fmt.Errorf("no way to %v: %w", addr, err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(), nil
}

// Way is from which of this host's addresses another is spoken to.
type Way struct{ Local, To netip.Addr }

// WayOf returns the way that a connection takes.
func WayOf(c net.Conn) Way { return Way{addrOf(c.LocalAddr()), addrOf(c.RemoteAddr())} }

func addrOf(a net.Addr) netip.Addr {
	p, _ := netip.ParseAddrPort(a.String())
	return p.Addr().Unmap().WithZone("")
}

// Look reports whether the way would lead from another of this host's addresses now, and
// whether the former is gone: no interface that is up has it. While there is no way at
// all, the network is down, and may come back as it was.
func (w Way) Look() (other, gone bool) {
	local, err := localTo(w.To)
	if err != nil || local.WithZone("") == w.Local {
		return false, false
	}
	before, err := holding(w.Local)
	return true, err != nil || before.Flags&net.FlagRunning == 0
}

// holding returns the interface that has the address.
func holding(addr netip.Addr) (*net.Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for i := range all {
		addrs, err := all[i].Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().WithZone("") == addr {
				return &all[i], nil
			}
		}
	}
	return nil, fmt.Errorf("no interface has %v", addr)
}

// Multicast returns the interface to send multicast from: the named one, or the first
// that is up, does multicast and has an address, one with a carrier before others;
// loopback when there is none.
func Multicast(name string) (*net.Interface, netip.Addr, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, netip.Addr{}, err
	}
	usable := func(i net.Interface) bool {
		return i.Flags&net.FlagMulticast != 0 && i.Flags&net.FlagLoopback == 0
	}
	carrier := func(i net.Interface) bool { return usable(i) && i.Flags&net.FlagRunning != 0 }
	loopback := func(i net.Interface) bool { return i.Flags&net.FlagLoopback != 0 }
	wanted := []func(net.Interface) bool{carrier, usable, loopback}
	if name != "" {
		wanted = []func(net.Interface) bool{func(i net.Interface) bool { return i.Name == name }}
	}
	for _, fits := range wanted {
		for i := range all {
			if addr, ok := firstAddr(&all[i]); ok && all[i].Flags&net.FlagUp != 0 && fits(all[i]) {
				return &all[i], addr, nil
			}
		}
	}
	if name != "" {
		return nil, netip.Addr{}, fmt.Errorf("interface %s is not there, is down or has no address: see `ip address`", name)
	}
	return nil, netip.Addr{}, fmt.Errorf("no interface is up: connect the network")
}

// Carries reports whether an interface that is up and has a carrier has the address.
func Carries(addr netip.Addr) bool {
	ifi, err := holding(addr.WithZone(""))
	return err == nil && ifi.Flags&net.FlagUp != 0 && ifi.Flags&net.FlagRunning != 0
}

// firstAddr prefers IPv4.
func firstAddr(ifi *net.Interface) (found netip.Addr, ok bool) {
	addrs, err := ifi.Addrs()
	if err != nil {
		return found, false
	}
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		if p.Addr().Is4() {
			return p.Addr(), true
		}
		if !ok {
			found, ok = p.Addr(), true
			if found.IsLinkLocalUnicast() {
				found = found.WithZone(ifi.Name)
			}
		}
	}
	return found, ok
}

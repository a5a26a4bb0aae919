package udp

import (
	"fmt"
	"net"
	"net/netip"
)

// InterfaceTo returns the interface by which addr is reached, and this host's
// address on it.
func InterfaceTo(addr netip.Addr) (*net.Interface, netip.Addr, error) {
	c, err := net.Dial("udp", netip.AddrPortFrom(addr, 9).String()) // sends nothing
	if err != nil {
		return nil, netip.Addr{}, fmt.Errorf("no way to %v: %w", addr, err)
	}
	defer c.Close()
	local := c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	ifi, err := holding(local.WithZone(""))
	return ifi, local, err
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

// Multicast returns the interface to send multicast from: the named one, or the
// first that is up, does multicast and has an address; loopback when there is
// no other.
func Multicast(name string) (*net.Interface, netip.Addr, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, netip.Addr{}, err
	}
	var loopback *net.Interface
	for i := range all {
		ifi := &all[i]
		if ifi.Flags&net.FlagUp == 0 || name != "" && ifi.Name != name {
			continue
		}
		if name == "" && ifi.Flags&net.FlagLoopback != 0 {
			loopback = ifi
			continue
		}
		if addr, ok := firstAddr(ifi); ok && (name != "" || ifi.Flags&net.FlagMulticast != 0) {
			return ifi, addr, nil
		}
	}
	if loopback != nil {
		if addr, ok := firstAddr(loopback); ok {
			return loopback, addr, nil
		}
	}
	if name != "" {
		return nil, netip.Addr{}, fmt.Errorf("interface %s is not there, is down or has no address: see `ip address`", name)
	}
	return nil, netip.Addr{}, fmt.Errorf("no interface is up: connect the network")
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

package discovery

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// lister lists the interfaces of the network namespace it was made in.
type lister struct {
	names []string
	nl    *netlink.Handle
}

// maxAddrs is how many addresses of a link are announced.
const maxAddrs = 8

func newLister(names []string) (*lister, error) {
	for _, n := range names {
		if n == "" || len(n) > 15 {
			return nil, fmt.Errorf("discovery: %q cannot be an interface's name; see `ip link`", n)
		}
	}
	nl, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("discovery: cannot ask the kernel for interfaces: %w", err)
	}
	return &lister{names: slices.Clone(names), nl: nl}, nil
}

func (s *lister) close() { s.nl.Close() }

// list returns the links to use now, by index.
func (s *lister) list() ([]linkInfo, error) {
	links, err := s.nl.LinkList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, err
	}
	addrs, err := s.nl.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, err
	}
	var loopback, out []linkInfo
	for _, l := range links {
		a := l.Attrs()
		named := slices.Contains(s.names, a.Name)
		if !alive(a) || len(s.names) > 0 && !named {
			continue
		}
		info := describe(a, addrs)
		switch {
		case len(info.addrs) == 0:
		case a.Flags&net.FlagLoopback != 0 && !named:
			loopback = append(loopback, info)
		case a.Flags&net.FlagMulticast != 0 || named:
			out = append(out, info)
		}
	}
	if len(out) == 0 {
		out = loopback
	}
	slices.SortFunc(out, func(a, b linkInfo) int { return cmp.Compare(a.index, b.index) })
	return out, nil
}

// alive tells whether an interface is up and has a carrier.
func alive(a *netlink.LinkAttrs) bool {
	return a.Flags&net.FlagUp != 0 && a.Flags&net.FlagRunning != 0
}

// describe gathers the addresses of an interface that others can use.
func describe(a *netlink.LinkAttrs, all []netlink.Addr) linkInfo {
	info := linkInfo{index: a.Index, name: a.Name}
	loopback := a.Flags&net.FlagLoopback != 0
	for _, addr := range all {
		if addr.LinkIndex != a.Index || addr.IPNet == nil {
			continue
		}
		ip, ok := netip.AddrFromSlice(addr.IP)
		const unfit = unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED | unix.IFA_F_DEPRECATED
		if !ok || addr.Flags&unfit != 0 || ip.Is6() && addr.Flags&unix.IFA_F_TEMPORARY != 0 {
			continue
		}
		if ip = ip.Unmap(); ip.Is6() && loopback {
			continue // ::1 reaches no group
		}
		bits, _ := addr.Mask.Size()
		info.addrs = append(info.addrs, netip.PrefixFrom(ip, bits))
		if ip.Is4() {
			info.usable[v4] = true
		} else if ip.IsLinkLocalUnicast() {
			info.usable[v6] = true
		}
	}
	slices.SortFunc(info.addrs, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	info.addrs = info.addrs[:min(len(info.addrs), maxAddrs)]
	return info
}

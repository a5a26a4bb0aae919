package netlab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Link joins a host to a switch. Its interface in the host is named Name.
type Link struct {
	Name  string // the interface in the host: eth0, eth1, ...
	Index int    // its index in the host

	host  *Host
	inner netlink.Link // in the host
	outer netlink.Link // in the switch's namespace
	relay *relay       // nil when the link is a plain veth pair
	local netip.Prefix // the IPv6 link-local address
	want  settings     // guarded by lab.mu
}

// settings is what a link's interface is given each time it comes up.
type settings struct {
	addr, addr6 netip.Prefix
	gateway     netip.Addr
	multicast   bool
	impaired    bool
	seed        uint64
}

// Option changes what Connect makes.
type Option func(*settings)

// WithAddr6 gives the interface an IPv6 address beside its link-local one.
func WithAddr6(p netip.Prefix) Option { return func(s *settings) { s.addr6 = p } }

// WithGateway gives the host a default route. Hosts have none otherwise.
func WithGateway(via netip.Addr) Option { return func(s *settings) { s.gateway = via } }

// WithMulticastRoute routes 224.0.0.0/4 to this link, for programs that send to
// a group without choosing an interface.
func WithMulticastRoute() Option { return func(s *settings) { s.multicast = true } }

// WithImpairment leads every frame of the link through this process, where
// Link.Impair changes its fate. The same seed makes the same random choices.
func WithImpairment(seed uint64) Option {
	return func(s *settings) { s.impaired, s.seed = true, seed }
}

// Connect joins the host to a switch with a new interface that has the address,
// an IPv6 link-local address (usable at once: no duplicate detection) and a
// route to the address's own network only. A zero prefix means no IPv4.
func (h *Host) Connect(sw *Switch, addr netip.Prefix, options ...Option) (*Link, error) {
	want := settings{addr: addr}
	for _, o := range options {
		o(&want)
	}
	l := h.lab
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errClosed
	}
	link := &Link{Name: fmt.Sprintf("eth%d", len(h.links)), host: h, want: want}
	if err := link.make(sw); err != nil {
		return nil, fmt.Errorf("netlab: connect %s to %s: %w", h.Name, sw.Name, err)
	}
	h.links = append(h.links, link)
	link.Index = link.inner.Attrs().Index
	if err := link.configure(sw.bridge); err != nil {
		return nil, fmt.Errorf("netlab: connect %s to %s: %w", h.Name, sw.Name, err)
	}
	return link, nil
}

// make creates both ends, and the relay between them on an impaired link.
func (l *Link) make(sw *Switch) (err error) {
	lab, port := l.host.lab, fmt.Sprintf("p%d", sw.lab.ports)
	lab.ports++
	l.local = netip.PrefixFrom(netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 14: byte(lab.ports >> 8), 15: byte(lab.ports)}), 64)
	mac := net.HardwareAddr{0x02, 0x54, 0x55, 0, byte(lab.ports >> 8), byte(lab.ports)}
	if l.want.impaired {
		l.relay, err = newRelay(l.host.space, l.Name, lab.core, port, l.want.seed)
	} else {
		err = lab.core.nl.LinkAdd(&netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: port, TxQLen: -1}, PeerName: l.Name,
			PeerNamespace: netlink.NsFd(l.host.space.handle()),
		})
	}
	if err != nil {
		return err
	}
	if l.outer, err = lab.core.nl.LinkByName(port); err != nil {
		return err
	}
	if l.inner, err = l.host.space.nl.LinkByName(l.Name); err != nil {
		return err
	}
	return l.host.space.nl.LinkSetHardwareAddr(l.inner, mac)
}

// configure plugs the outer end into the switch and brings everything up.
func (l *Link) configure(bridge netlink.Link) error {
	core, nl := l.host.lab.core.nl, l.host.space.nl
	if err := core.LinkSetMaster(l.outer, bridge); err != nil {
		return err
	}
	if haveIPv6() {
		const none = 1 // IN6_ADDR_GEN_MODE_NONE: the link-local address is ours
		if err := nl.LinkSetIP6AddrGenMode(l.inner, none); err != nil {
			return err
		}
	}
	if err := core.LinkSetUp(l.outer); err != nil {
		return err
	}
	return l.up()
}

// haveIPv6 tells whether the kernel has IPv6 at all.
func haveIPv6() bool {
	_, err := os.Stat("/proc/net/if_inet6")
	return err == nil
}

// up brings the host's interface up with its addresses and routes; what is
// there already stays.
func (l *Link) up() error {
	nl := l.host.space.nl
	if err := nl.LinkSetUp(l.inner); err != nil {
		return err
	}
	for _, p := range []netip.Prefix{l.want.addr, l.want.addr6, l.local} {
		if !p.IsValid() || p.Addr().Is6() && !haveIPv6() {
			continue
		}
		addr := &netlink.Addr{IPNet: ipNet(p)}
		if p.Addr().Is6() {
			addr.Flags = unix.IFA_F_NODAD
		}
		if err := nl.AddrReplace(l.inner, addr); err != nil {
			return fmt.Errorf("address %s: %w", p, err)
		}
	}
	if l.want.multicast {
		dst := ipNet(netip.MustParsePrefix("224.0.0.0/4"))
		if err := nl.RouteReplace(&netlink.Route{LinkIndex: l.Index, Dst: dst, Scope: netlink.SCOPE_LINK}); err != nil {
			return fmt.Errorf("multicast route: %w", err)
		}
	}
	if l.want.gateway.IsValid() {
		if err := nl.RouteReplace(&netlink.Route{LinkIndex: l.Index, Gw: l.want.gateway.AsSlice()}); err != nil {
			return fmt.Errorf("default route: %w", err)
		}
	}
	return nil
}

// Down switches the host's interface off, as an administrator would: it loses
// its routes and IPv6 addresses.
func (l *Link) Down() error {
	return l.change(func() error { return l.host.space.nl.LinkSetDown(l.inner) })
}

// Up undoes Down.
func (l *Link) Up() error { return l.change(l.up) }

// Unplug pulls the cable: the host's interface stays up and keeps its addresses,
// without a carrier.
func (l *Link) Unplug() error {
	return l.change(func() error {
		if l.relay != nil {
			return l.relay.carrier(false)
		}
		return l.host.lab.core.nl.LinkSetDown(l.outer)
	})
}

// Plug undoes Unplug.
func (l *Link) Plug() error {
	return l.change(func() error {
		if l.relay != nil {
			return l.relay.carrier(true)
		}
		return l.host.lab.core.nl.LinkSetUp(l.outer)
	})
}

// ChangeAddr replaces the IPv4 address, as a new DHCP lease does; the zero
// prefix takes it away.
func (l *Link) ChangeAddr(addr netip.Prefix) error {
	return l.change(func() error {
		if old := l.want.addr; old.IsValid() {
			if err := l.host.space.nl.AddrDel(l.inner, &netlink.Addr{IPNet: ipNet(old)}); err != nil {
				return err
			}
		}
		l.want.addr = addr
		return l.up()
	})
}

// SetMTU sets how long the packets may be that the host sends and takes by the link.
// What is longer and comes is lost without a word.
func (l *Link) SetMTU(bytes int) error {
	return l.change(func() error { return l.host.space.nl.LinkSetMTU(l.inner, bytes) })
}

// change runs a change to the link unless the lab is closed.
func (l *Link) change(f func() error) error {
	lab := l.host.lab
	lab.mu.Lock()
	defer lab.mu.Unlock()
	if lab.closed {
		return errClosed
	}
	if err := f(); err != nil {
		return fmt.Errorf("netlab: %s of %s: %w", l.Name, l.host.Name, err)
	}
	return nil
}

// Addr returns the interface's IPv4 address, which is not valid when it has none.
func (l *Link) Addr() netip.Addr {
	l.host.lab.mu.Lock()
	defer l.host.lab.mu.Unlock()
	return l.want.addr.Addr()
}

// Addr6 returns the interface's IPv6 link-local address with its zone.
func (l *Link) Addr6() netip.Addr { return l.local.Addr().WithZone(l.Name) }

// Impair sets the fate of the link's frames in one direction from now on.
func (l *Link) Impair(d Direction, c Conditions) error {
	if l.relay == nil {
		return errors.New("netlab: a plain link cannot be impaired; connect it with WithImpairment")
	}
	if err := c.check(); err != nil {
		return err
	}
	return l.change(func() error { l.relay.pipes[d].set(c); return nil })
}

// Counts returns what happened to the frames of an impaired link so far.
func (l *Link) Counts(d Direction) Counts {
	if l.relay == nil {
		return Counts{}
	}
	return l.relay.pipes[d].counts()
}

// close ends the relay; the kernel removes the interfaces with the namespaces.
func (l *Link) close() error {
	if l.relay == nil {
		return nil
	}
	return l.relay.close()
}

// ipNet converts a prefix to the form the netlink package takes.
func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

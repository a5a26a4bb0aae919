package netlab

import (
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// NAT is how a router treats what its network sends to the outside.
type NAT string

// The kinds of RFC 4787 that matter, and networks that are worse.
const (
	Routed     NAT = "routed"      // passed on as it is
	Restricted NAT = "restricted"  // one mapping for all destinations, answers from where was sent to only
	Symmetric  NAT = "symmetric"   // another mapping, at a random port, for each destination
	UDPBlocked NAT = "udp blocked" // Restricted, and no UDP but DNS
	IPv6Only   NAT = "IPv6 only"   // no IPv4; passed on as it is, answers only
	masquerade     = "masquerade"
	atRandom       = "masquerade random,fully-random"
)

// Through sends what has no nearer way to the gateway.
func (h *Host) Through(gateway netip.Addr) error {
	return h.space.nl.RouteReplace(&netlink.Route{Gw: net.IP(gateway.AsSlice())})
}

// Reach sends what is for a network to the gateway.
func (h *Host) Reach(network netip.Prefix, gateway netip.Addr) error {
	return h.space.nl.RouteReplace(&netlink.Route{Dst: ipNet(network), Gw: net.IP(gateway.AsSlice())})
}

// Router makes the host pass packets on between its links, and translate addresses of
// what leaves by the outer one. Called again it changes the kind, and forgets all
// mappings: a NAT that rebinds.
func (h *Host) Router(outer *Link, kind NAT) error {
	if kind == IPv6Only {
		return h.router6(outer)
	}
	if err := h.forward("/proc/sys/net/ipv4/ip_forward"); err != nil {
		return err
	}
	translate := ""
	switch kind {
	case Restricted, UDPBlocked:
		translate = fmt.Sprintf("oifname %q %s", outer.Name, masquerade)
	case Symmetric:
		translate = fmt.Sprintf("oifname %q %s", outer.Name, atRandom)
	}
	blocked := ""
	if kind == UDPBlocked {
		blocked = "meta l4proto udp udp dport != 53 udp sport != 53 drop"
	}
	unasked := "" // a router's own firewall: or what comes too early would take the mapping's port
	if kind != Routed {
		unasked = fmt.Sprintf("iifname %q ct state new drop", outer.Name)
	}
	rules := fmt.Sprintf(`table ip tutti
delete table ip tutti
table ip tutti {
	chain out { type nat hook postrouting priority 100
		%s
	}
	chain in { type filter hook input priority 0
		%s
	}
	chain through { type filter hook forward priority 0
		%s
	}
}
`, translate, unasked, blocked)
	if err := h.nft(rules); err != nil {
		return err
	}
	_, err := h.space.nl.ConntrackDeleteFilters(netlink.ConntrackTable, unix.AF_INET, &everyFlow{})
	return err
}

// router6 is Router for IPv6: a firewall that lets answers in.
func (h *Host) router6(outer *Link) error {
	if err := h.forward("/proc/sys/net/ipv6/conf/all/forwarding"); err != nil {
		return err
	}
	return h.nft(fmt.Sprintf(`table ip6 tutti
delete table ip6 tutti
table ip6 tutti {
	chain through { type filter hook forward priority 0
		iifname %q ct state new drop
	}
}
`, outer.Name))
}

// forward switches on that the host passes packets on.
func (h *Host) forward(file string) error {
	if err := h.Do(func() error { return os.WriteFile(file, []byte("1"), 0o644) }); err != nil {
		return fmt.Errorf("netlab: %s cannot forward: %w", h.Name, err)
	}
	return nil
}

// everyFlow is a filter that fits every flow.
type everyFlow struct{}

// MatchConntrackFlow implements netlink.CustomConntrackFilter.
func (everyFlow) MatchConntrackFlow(*netlink.ConntrackFlow) bool { return true }

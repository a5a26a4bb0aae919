package main

import (
	"fmt"
	"net/netip"

	"github.com/tutti-audio/tutti/internal/netlab"
)

// doubleNAT is a home's plain NAT behind the plain NAT of its provider (RFC 6598).
const doubleNAT netlab.NAT = "double NAT"

// home is a network behind a router.
type home struct {
	world  *world
	kind   netlab.NAT
	number int
	sw     *netlab.Switch
	router *machine     // nil: none
	outer  *netlab.Link // of its router
	far    *netlab.Link // to the internet; nil: each host has one
	guests int
}

// addHome makes a home whose router treats its network so. The options are those of
// the router's way out.
func (w *world) addHome(kind netlab.NAT, options ...netlab.Option) (*home, error) {
	w.homes++
	h := &home{world: w, kind: kind, number: w.homes, sw: w.house.sw}
	switch kind {
	case netlab.Routed: // its hosts are on the internet themselves
		return h, nil
	case netlab.IPv6Only:
		return h, h.build(kind, w.house.sw, netip.Prefix{}, append(options, netlab.WithAddr6(h.outside6()))...)
	case doubleNAT:
		carrier := &home{world: w, number: 100 + h.number}
		if err := carrier.build(netlab.Restricted, w.house.sw, h.outside(), options...); err != nil {
			return nil, err
		}
		if err := h.build(netlab.Restricted, carrier.sw, netip.PrefixFrom(carrier.inside(2), 24)); err != nil {
			return nil, err
		}
		h.far = carrier.outer
		return h, h.router.host.Through(carrier.inside(1))
	}
	return h, h.build(kind, w.house.sw, h.outside(), options...)
}

// build makes the home's network and its router, and joins that to another network.
func (h *home) build(kind netlab.NAT, to *netlab.Switch, at netip.Prefix, options ...netlab.Option) (err error) {
	w := h.world
	if h.sw, err = w.house.lab.NewSwitch(fmt.Sprintf("home%d", h.number)); err != nil {
		return err
	}
	inner := netip.PrefixFrom(h.inside(1), 24)
	if kind == netlab.IPv6Only {
		inner = netip.PrefixFrom(h.inside(1), 64)
	}
	if h.router, err = w.place(fmt.Sprintf("router%d", h.number), h.sw, inner); err != nil {
		return err
	}
	if h.outer, err = h.router.host.Connect(to, at, options...); err != nil {
		return err
	}
	h.far = h.outer
	if err := h.router.host.Router(h.outer, kind); err != nil || kind != netlab.IPv6Only {
		return err
	}
	return w.route6(h.router.host, route{inner.Masked(), h.outside6().Addr()})
}

// outside is the home's address on the internet.
func (h *home) outside() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(10 + h.number)}), 24)
}

func (h *home) outside6() netip.Prefix {
	return netip.PrefixFrom(address6(0, byte(10+h.number)), 64)
}

// inside is an address in the home; 1 is the router's.
func (h *home) inside(n byte) netip.Addr {
	switch {
	case h.kind == netlab.IPv6Only:
		return address6(byte(h.number), n)
	case h.number > 100: // of a provider
		return netip.AddrFrom4([4]byte{100, 64, byte(h.number), n})
	}
	return netip.AddrFrom4([4]byte{10, 80, byte(h.number), n})
}

// address6 is 2001:db8:NETWORK::HOST.
func address6(network, host byte) netip.Addr {
	return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 0, network, 15: host})
}

// route6 tells all routers and servers where a network is, and its router where the
// others are: there is no provider between them.
func (w *world) route6(router *netlab.Host, r route) error {
	for _, h := range w.speak6 {
		if err := h.Reach(r.network, r.by); err != nil {
			return err
		}
	}
	for _, other := range w.routed {
		if err := router.Reach(other.network, other.by); err != nil {
			return err
		}
	}
	w.speak6, w.routed = append(w.speak6, router), append(w.routed, r)
	return nil
}

// add puts a host into the home.
func (h *home) add(name string, options ...netlab.Option) (*machine, error) {
	h.guests++
	addr, bits, relay := h.inside(byte(1+h.guests)), 24, relayAddress
	switch {
	case h.router == nil:
		addr = netip.AddrFrom4([4]byte{203, 0, 113, byte(100 + 10*h.number + h.guests)})
	case h.kind == netlab.IPv6Only:
		bits, relay = 64, "["+relayAddress6+"]"
	}
	m, err := h.world.place(name, h.sw, netip.PrefixFrom(addr, bits), options...)
	if err != nil {
		return nil, err
	}
	if m.relay = relay; h.router == nil {
		return m, nil
	}
	return m, m.host.Through(h.inside(1))
}

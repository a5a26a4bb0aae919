package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/tutti-audio/tutti/internal/netlab"
)

// world is an internet of documentation addresses: a relay on it, and homes behind
// routers, with the real programs.
type world struct {
	house *house // its lab, directory and processes; its switch is the internet
	relay *machine
	homes int
}

const relayAddress = "203.0.113.1"

func newWorld(binary, dir string) (*world, error) {
	if err := netlab.Available(); err != nil {
		return nil, err
	}
	if _, err := exec.LookPath("nft"); err != nil {
		return nil, errors.New("nftables are not installed: apt-get install nftables")
	}
	h, err := newHouse(binary, dir)
	if err != nil {
		return nil, err
	}
	w := &world{house: h}
	if w.relay, err = w.place("relay", h.sw, netip.MustParsePrefix(relayAddress+"/24")); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return w, nil
}

func (w *world) close() error { return w.house.close() }

// place puts a host on a switch.
func (w *world) place(name string, sw *netlab.Switch, addr netip.Prefix, options ...netlab.Option) (*machine, error) {
	m := &machine{name: name, house: w.house}
	w.house.all = append(w.house.all, m)
	var err error
	if m.host, err = w.house.lab.NewHost(fmt.Sprintf("h%d", len(w.house.all))); err != nil {
		return nil, err
	}
	if m.link, err = m.host.Connect(sw, addr, options...); err != nil {
		return nil, err
	}
	m.address = netip.AddrPortFrom(addr.Addr(), 8400).String()
	m.client = &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DialContext: m.dial}}
	return m, nil
}

// dial connects from within the host.
func (m *machine) dial(_ context.Context, network, address string) (c net.Conn, err error) {
	err = m.host.Do(func() error {
		c, err = net.DialTimeout(network, address, 2*time.Second)
		return err
	})
	return c, err
}

// home is a network behind a router.
type home struct {
	world  *world
	number int
	sw     *netlab.Switch
	router *machine // nil: none
	outer  *netlab.Link
	guests int
}

// addHome makes a home whose router treats its network so.
func (w *world) addHome(kind netlab.NAT, options ...netlab.Option) (*home, error) {
	w.homes++
	h := &home{world: w, number: w.homes, sw: w.house.sw}
	if kind == netlab.Routed { // its hosts are on the internet themselves
		return h, nil
	}
	var err error
	if h.sw, err = w.house.lab.NewSwitch(fmt.Sprintf("home%d", h.number)); err != nil {
		return nil, err
	}
	inner := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 80, byte(h.number), 1}), 24)
	if h.router, err = w.place(fmt.Sprintf("router%d", h.number), h.sw, inner); err != nil {
		return nil, err
	}
	public := netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(10 + h.number)}), 24)
	if h.outer, err = h.router.host.Connect(w.house.sw, public, options...); err != nil {
		return nil, err
	}
	return h, h.router.host.Router(h.outer, kind)
}

// add puts a host into the home.
func (h *home) add(name string, options ...netlab.Option) (*machine, error) {
	h.guests++
	if h.router == nil {
		return h.world.place(name, h.sw, netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(100 + 10*h.number + h.guests)}), 24), options...)
	}
	addr := netip.AddrFrom4([4]byte{10, 80, byte(h.number), byte(1 + h.guests)})
	m, err := h.world.place(name, h.sw, netip.PrefixFrom(addr, 24), options...)
	if err != nil {
		return nil, err
	}
	return m, m.host.Through(netip.AddrFrom4([4]byte{10, 80, byte(h.number), 1}))
}

// startRelay runs tutti-relay, with STUN and TURN.
func (w *world) startRelay(ctx context.Context, config string) error {
	log, err := os.OpenFile(filepath.Join(w.house.dir, "relay.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	file := filepath.Join(w.house.dir, "relay.toml")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		return err
	}
	m := w.relay
	m.cmd = m.host.Command(ctx, filepath.Join(filepath.Dir(w.house.binary), "tutti-relay"), "run", "--config", file)
	m.cmd.Stdout, m.cmd.Stderr = log, log
	m.process, err = m.host.Start(m.cmd)
	return err
}

// relayCounts reads the counters of the relay on this machine.
func (m *machine) relayCounts() (map[string]float64, error) {
	return readMetrics(m.client, "http://127.0.0.1:5102/metrics", "tutti_relay_")
}

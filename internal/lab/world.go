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
	"slices"
	"time"

	"github.com/tutti-audio/tutti/internal/netlab"
)

// world is an internet of documentation addresses: a relay on it, and homes behind
// routers, with the real programs.
type world struct {
	house  *house // its lab, directory and processes; its switch is the internet
	relay  *machine
	homes  int
	routed []route // networks of IPv6 behind routers
	speak6 []*netlab.Host
}

// route is where a network is.
type route struct {
	network netip.Prefix
	by      netip.Addr
}

// The relay's addresses.
const (
	relayAddress  = "203.0.113.1"
	relayAddress6 = "2001:db8::1"
)

// embeddedTURN tells a relay its public address, for TURN: it has no way to the internet
// to tell it by.
const embeddedTURN = "[turn]\nmode = \"embedded\"\npublic = \"" + relayAddress + "\"\n"

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
	if w.relay, err = w.place("relay", h.sw, netip.MustParsePrefix(relayAddress+"/24"), netlab.WithAddr6(netip.MustParsePrefix(relayAddress6+"/64"))); err != nil {
		return nil, errors.Join(err, h.close())
	}
	w.speak6 = append(w.speak6, w.relay.host)
	return w, nil
}

// close ends everything: the relay last, for it waits until its members have gone.
func (w *world) close() error {
	for _, m := range slices.Backward(w.house.all) {
		m.stop()
	}
	return w.house.close()
}

// place puts a host on a switch.
func (w *world) place(name string, sw *netlab.Switch, addr netip.Prefix, options ...netlab.Option) (*machine, error) {
	m := &machine{name: name, house: w.house}
	w.house.all = append(w.house.all, m)
	var err error
	if m.host, err = w.house.lab.NewHost(fmt.Sprintf("h%d", len(w.house.all))); err != nil {
		return nil, err
	}
	m.address = netip.AddrPortFrom(addr.Addr(), 8400).String()
	if addr.Addr().Is6() {
		options, addr = append(slices.Clone(options), netlab.WithAddr6(addr)), netip.Prefix{}
	}
	if m.link, err = m.host.Connect(sw, addr, options...); err != nil {
		return nil, err
	}
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

// startRelay runs tutti-relay with a configuration; empty: as it is by itself.
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

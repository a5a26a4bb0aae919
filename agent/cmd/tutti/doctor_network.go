package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/agent"
	"github.com/tutti-audio/tutti/agent/session/lan"
	"github.com/tutti-audio/tutti/internal/udp"
	"github.com/tutti-audio/tutti/ostp/clockmsg"
)

func (p *patient) network(context.Context) finding {
	ifi, addr, err := udp.Multicast(p.config.Interface)
	if err != nil {
		return failed("connect the network, or name another interface with --interface (`ip address` lists them)", "%v", err)
	}
	p.ifi, p.addr = ifi, addr
	if ifi.Name == "lo" && p.config.Interface == "" {
		return warning("connect a network: this way only this host itself takes part", "only loopback has an address")
	}
	return good("%s, %v", ifi.Name, addr)
}

// noNetwork is what depends on the interface when there is none.
func noNetwork() finding {
	return warning("mend the interface first", "not looked at, there is no interface")
}

// multicast sends to a group of its own and listens for it: the kernel, the
// firewall and the interface must let it through.
func (p *patient) multicast(context.Context) finding {
	if p.ifi == nil {
		return noNetwork()
	}
	const mend = "let UDP to 239.69.0.0/16 and ff05::/16 in and out through the firewall, and check `ip maddress show dev %s`"
	how := fmt.Sprintf(mend, p.ifi.Name)
	group := lan.GroupFor("tutti-doctor")
	if p.addr.Is6() {
		group = lan.GroupFor6("tutti-doctor")
	}
	in, err := udp.Listen(netip.AddrPortFrom(p.addr, 0), udp.Options{Group: group, Interface: p.ifi}, p.clock)
	if errors.Is(err, unix.ENOBUFS) {
		return failed("raise the limit: sysctl net.ipv4.igmp_max_memberships=200", "this host is in as many groups as it may be")
	}
	if err != nil {
		return failed(how, "%s cannot join a group: %v", p.ifi.Name, err)
	}
	defer in.Close()
	out, err := udp.Listen(netip.AddrPortFrom(p.addr, 0), udp.Options{Interface: p.ifi}, p.clock)
	if err != nil {
		return failed(how, "%s cannot send: %v", p.ifi.Name, err)
	}
	defer out.Close()
	word := []byte(rand.Text())
	_ = in.SetReadDeadline(time.Now().Add(time.Second))
	if _, err := out.WriteToUDPAddrPort(word, netip.AddrPortFrom(group, in.Port())); err != nil {
		return failed(how, "%s cannot send to a group: %v", p.ifi.Name, err)
	}
	b := make([]byte, 100)
	for {
		n, _, _, err := in.Read(b)
		if err != nil {
			return failed(how, "what %s sends to a group does not come back", p.ifi.Name)
		}
		if string(b[:n]) == string(word) {
			return good("%s joins groups, sends to them and hears them", p.ifi.Name)
		}
	}
}

// powerSave asks the Wi-Fi driver whether it lets the radio sleep, which makes
// multicast come in bursts of a tenth of a second and more.
func (p *patient) powerSave(context.Context) finding {
	if p.ifi == nil {
		return noNetwork()
	}
	if _, err := os.Stat(filepath.Join("/sys/class/net", p.ifi.Name, "phy80211")); err != nil {
		return good("%s is no Wi-Fi", p.ifi.Name)
	}
	asleep, err := powerSaving(p.ifi.Index)
	how := fmt.Sprintf("iw dev %s set power_save off; for good: wifi.powersave=2 in NetworkManager's configuration", p.ifi.Name)
	switch {
	case err != nil:
		return warning("if the music stutters: "+how, "the driver of %s does not say whether it saves power: %v", p.ifi.Name, err)
	case asleep:
		return failed(how, "%s saves power: packets come in bursts", p.ifi.Name)
	}
	return good("%s is awake all the time", p.ifi.Name)
}

// powerSaving asks nl80211.
func powerSaving(index int) (bool, error) {
	family, err := netlink.GenlFamilyGet("nl80211")
	if err != nil {
		return false, err
	}
	request := nl.NewNetlinkRequest(int(family.ID), 0)
	request.AddData(&nl.Genlmsg{Command: unix.NL80211_CMD_GET_POWER_SAVE, Version: 1})
	request.AddData(nl.NewRtAttr(unix.NL80211_ATTR_IFINDEX, nl.Uint32Attr(uint32(index))))
	answers, err := request.Execute(unix.NETLINK_GENERIC, 0)
	if err != nil {
		return false, err
	}
	for _, b := range answers {
		if on, ok := powerState(b); ok {
			return on, nil
		}
	}
	return false, errors.New("it gives no answer")
}

// powerState finds the state in an answer of nl80211.
func powerState(b []byte) (on, ok bool) {
	if len(b) < nl.SizeofGenlmsg {
		return false, false
	}
	attrs, err := nl.ParseRouteAttr(b[nl.SizeofGenlmsg:])
	if err != nil {
		return false, false
	}
	for _, a := range attrs {
		if a.Attr.Type == unix.NL80211_ATTR_PS_STATE && len(a.Value) == 4 {
			return binary.NativeEndian.Uint32(a.Value) != 0, true
		}
	}
	return false, false
}

// discovery opens the mDNS port beside whoever has it.
func (p *patient) discovery(ctx context.Context) finding {
	l, err := agent.NewLook(p.config.Interface, slog.New(slog.DiscardHandler))
	if err != nil {
		return failed("end or configure the program that keeps UDP port 5353 to itself (`ss -ulnp sport = 5353`); until then: tutti run --source HOST:PORT", "%v", err)
	}
	defer l.Close()
	letAnswer(ctx)
	sources, speakers := len(l.Sources()), len(l.Speakers())
	if sources+speakers == 0 {
		return warning("right if this is the first; else let UDP port 5353 through the firewall and turn client isolation off in the access point", "the port is shared well, and nobody answers")
	}
	return good("%s and %s answer", plural(sources, "source"), plural(speakers, "speaker"))
}

// letAnswer gives others time to answer.
func letAnswer(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(defaultWait):
	}
}

// timeSource asks every source that is there for the time.
func (p *patient) timeSource(ctx context.Context) finding {
	l, err := agent.NewLook(p.config.Interface, slog.New(slog.DiscardHandler))
	if err != nil {
		return warning("mend discovery first", "not looked at")
	}
	defer l.Close()
	letAnswer(ctx)
	addresses := []string{}
	if p.config.Source != "" {
		addresses = append(addresses, p.config.Source)
	}
	for _, s := range l.Sources() {
		addresses = append(addresses, s.Address)
	}
	if len(addresses) == 0 {
		return good("not looked at, there is no source at the moment")
	}
	best := time.Duration(-1)
	for _, address := range addresses {
		trip, err := p.askTime(ctx, address)
		if err != nil {
			return failed("let UDP port 5006 and TCP port 8401 to the source through its firewall", "%v", err)
		}
		if best < 0 || trip < best {
			best = trip
		}
	}
	if best > 20*time.Millisecond {
		return warning("use a cable, or another Wi-Fi channel", "the round trip to the nearest source is %v, at the least", best.Round(time.Microsecond))
	}
	return good("%s asked, round trip %v", plural(len(addresses), "source"), best.Round(time.Microsecond))
}

// askTime exchanges the time with a source and returns the least round trip.
func (p *patient) askTime(ctx context.Context, address string) (time.Duration, error) {
	d, err := lan.Fetch(ctx, address)
	if err != nil {
		return 0, err
	}
	conn, err := udp.Listen(netip.AddrPortFrom(unspecified(d.Origin), 0), udp.Options{}, p.clock)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	server := netip.AddrPortFrom(d.Origin, d.Clock)
	var c clockmsg.Client
	best := time.Duration(-1)
	b := make([]byte, 512)
	for range 8 {
		var random [16]byte
		_, _ = rand.Read(random[:])
		request := c.Request(nil, binary.BigEndian.Uint64(random[:])|1, binary.BigEndian.Uint64(random[8:])|1, p.clock.Now())
		if _, err := conn.WriteToUDPAddrPort(request, server); err != nil {
			return 0, fmt.Errorf("cannot ask %v for the time: %w", server, err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		n, _, at, err := conn.Read(b)
		if err != nil {
			continue
		}
		if s, ok, err := c.Response(b[:n], at); err == nil && ok && (best < 0 || s.RoundTrip() < best) {
			best = s.RoundTrip()
		}
	}
	if best < 0 {
		return 0, fmt.Errorf("%v does not answer when asked for the time", server)
	}
	return best, nil
}

// unspecified is "any address" of the same family.
func unspecified(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

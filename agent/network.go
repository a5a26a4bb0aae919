package agent

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/tutti-audio/tutti/agent/session/nat"
	"github.com/tutti-audio/tutti/agent/session/remote"
)

// network is what is known of the NAT between this host and a relay. It is safe for
// concurrent use.
type network struct{ found atomic.Pointer[nat.Finding] }

// probeEvery is how often a network is looked at: hosts move, and routers restart.
const probeEvery = time.Minute

// watch looks at the network for as long as a membership lasts.
func (n *network) watch(ctx context.Context, m *remote.Member, log *slog.Logger) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		if found, err := probe(ctx, m); err != nil {
			log.Debug("what NAT there is cannot be found out", "error", err)
		} else if was := n.found.Swap(&found); was == nil || was.Kind != found.Kind || was.Mapped.Addr() != found.Mapped.Addr() {
			log.Info("the network to the relay", "nat", found.Kind, "seen_as", found.Mapped.Addr())
		}
		select {
		case <-ctx.Done():
			return
		case <-m.Done():
			return
		case <-tick.C:
		}
	}
}

// probe asks the STUN servers that the relay names.
func probe(ctx context.Context, m *remote.Member) (nat.Finding, error) {
	var all []netip.AddrPort
	for _, u := range iceServers(ctx, m, false) {
		addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Host)
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if a = a.Unmap(); len(all) == 0 || a.Is4() == all[0].Addr().Is4() {
				all = append(all, netip.AddrPortFrom(a, uint16(u.Port)))
				break
			}
		}
	}
	if len(all) == 0 {
		return nat.Finding{}, errors.New("the relay names no STUN server")
	}
	return nat.Probe(ctx, all)
}

// kind says what was found, and by which address others see this host; empty: nothing
// yet.
func (n *network) kind() (kind, address string) {
	f := n.found.Load()
	if f == nil {
		return "", ""
	}
	if f.Mapped.IsValid() {
		address = f.Mapped.Addr().String()
	}
	return f.Kind.String(), address
}

// hint says what of it stands in the way of a straight one.
func (n *network) hint() string {
	switch f := n.found.Load(); {
	case f == nil:
	case f.Kind == nat.Symmetric:
		return "; this network's NAT is symmetric"
	case f.Kind == nat.Blocked:
		return "; this network lets no UDP through"
	}
	return ""
}

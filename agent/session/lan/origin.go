package lan

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/tutti-audio/tutti/internal/udp"
)

// originEvery is how often the sender looks whether its address is still its own.
const originEvery = time.Second

// sendFrom opens the media socket on an address and puts it in the place of the
// one before.
func (s *Sender) sendFrom(ifi *net.Interface, local netip.Addr) error {
	conn, err := udp.Listen(netip.AddrPortFrom(local, 0), udp.Options{Interface: ifi}, s.config.Clock)
	if err != nil {
		return fmt.Errorf("cannot open the media socket: %w", err)
	}
	s.origin.Store(&local)
	if before := s.media.Swap(conn); before != nil {
		before.Close()
	}
	if s.closing.Load() {
		conn.Close()
	}
	return nil
}

// followAddress moves to another address when the present one is gone, or was
// loopback for want of a network. Speakers learn it from the description.
func (s *Sender) followAddress() {
	ifi, local, err := udp.Multicast(s.config.Interface)
	before := *s.origin.Load()
	if err != nil || local == before || local.Is4() != before.Is4() || local.IsLoopback() {
		return
	}
	if !before.IsLoopback() && held(before) {
		return
	}
	if err := s.sendFrom(ifi, local); err != nil {
		s.config.Log.Warn("cannot send from this host's new address", "address", local, "error", err)
		return
	}
	s.config.Log.Info("sending from this host's new address", "address", local, "before", before, "interface", ifi.Name)
}

// held reports whether an interface that is up has the address.
func held(addr netip.Addr) bool {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return true
	}
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr() == addr.WithZone("") {
			return true
		}
	}
	return false
}

package netlab

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Tap gives the host an interface whose other end a virtual machine takes, by the
// interface's name, as often as it is started: until then, and in between, the
// interface has no carrier. The host has the addresses and a link-local one.
func (h *Host) Tap(name string, addrs ...netip.Prefix) error {
	file, err := openTap(h.space, name)
	if err != nil {
		return fmt.Errorf("netlab: %s of %s: %w", name, h.Name, err)
	}
	defer file.Close()
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.IoctlSetInt(int(fd), unix.TUNSETPERSIST, 1) }); errors.Join(err, failed) != nil {
		return fmt.Errorf("netlab: keep TAP device %s: %w", name, errors.Join(err, failed))
	}
	link, err := h.space.nl.LinkByName(name)
	if err != nil {
		return err
	}
	for _, p := range addrs {
		addr := &netlink.Addr{IPNet: ipNet(p)}
		if p.Addr().Is6() {
			addr.Flags = unix.IFA_F_NODAD
		}
		if err := h.space.nl.AddrReplace(link, addr); err != nil {
			return fmt.Errorf("netlab: %s of %s: address %s: %w", name, h.Name, p, err)
		}
	}
	return h.space.nl.LinkSetUp(link)
}

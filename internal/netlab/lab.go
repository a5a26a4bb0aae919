package netlab

import (
	"errors"
	"fmt"
	"sync"

	"github.com/vishvananda/netlink"
)

// Lab is one laboratory: hosts, and switches between them in a namespace that
// belongs to the lab alone, so that labs do not meet.
type Lab struct {
	core *space // where the switches are

	mu     sync.Mutex // guards what follows, and changes to the network
	closed bool
	hosts  []*Host
	ports  int // numbers the switch ends of links
	nets   int // numbers the bridges
}

// New makes an empty laboratory. Without a preceding Reexec it needs root.
func New() (*Lab, error) {
	core, err := newSpace()
	if err != nil {
		return nil, err
	}
	return &Lab{core: core}, nil
}

// Switch is an Ethernet switch: a Linux bridge that forwards multicast to every
// port (no snooping) and from the first moment on (no spanning tree).
type Switch struct {
	Name   string
	lab    *Lab
	bridge *netlink.Bridge
}

// NewSwitch adds a switch that is up.
func (l *Lab) NewSwitch(name string) (*Switch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errClosed
	}
	l.nets++
	snooping := false
	bridge := &netlink.Bridge{
		LinkAttrs:         netlink.LinkAttrs{Name: fmt.Sprintf("br%d", l.nets), TxQLen: -1},
		MulticastSnooping: &snooping,
	}
	if err := l.core.nl.LinkAdd(bridge); err != nil {
		return nil, fmt.Errorf("netlab: make switch %s: %w", name, err)
	}
	if err := l.core.nl.LinkSetUp(bridge); err != nil {
		return nil, fmt.Errorf("netlab: bring switch %s up: %w", name, err)
	}
	return &Switch{Name: name, lab: l, bridge: bridge}, nil
}

// NewHost adds a host with loopback and nothing else.
func (l *Lab) NewHost(name string) (*Host, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errClosed
	}
	s, err := newSpace()
	if err != nil {
		return nil, fmt.Errorf("host %s: %w", name, err)
	}
	h := &Host{Name: name, lab: l, space: s, running: map[*Process]struct{}{}}
	l.hosts = append(l.hosts, h)
	return h, nil
}

// Close kills every process of the lab, removes its networks and waits for all
// of its goroutines. What is used afterwards returns an error.
func (l *Lab) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	var errs []error
	for _, h := range l.hosts {
		errs = append(errs, h.close())
	}
	l.core.close()
	return errors.Join(errs...)
}

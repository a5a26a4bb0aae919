package discovery

import "fmt"

// Announcement is a service that is being announced.
type Announcement struct {
	node *Node
	ours *announcement // owned by the engine
}

// Announce begins to announce a service on all links and returns at once; the
// probing of its name takes about a second. It fails when the service cannot be
// announced as it is.
func (n *Node) Announce(s Service) (*Announcement, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	a, full := &Announcement{node: n}, false
	ok := n.do(func(e *engine) {
		if full = len(e.ours) >= maxOurs; !full {
			a.ours = e.announce(n.now(), s.clone())
		}
	})
	switch {
	case !ok:
		return nil, errClosed
	case full:
		return nil, fmt.Errorf("discovery: %d services are announced already; close one", maxOurs)
	}
	return a, nil
}

// Update announces a new text.
func (a *Announcement) Update(text map[string]string) error {
	if _, err := encodeText(text); err != nil {
		return err
	}
	text = Service{Text: text}.clone().Text
	if !a.node.do(func(e *engine) { e.update(a.node.now(), a.ours, text) }) {
		return errClosed
	}
	return nil
}

// Instance returns the name in use: the service's, or the one that replaces it
// because another device has that.
func (a *Announcement) Instance() (instance string) {
	a.node.do(func(e *engine) { instance = a.ours.instance })
	return instance
}

// Close withdraws the service. The node must still be open; closing that
// withdraws all services.
func (a *Announcement) Close() error {
	if !a.node.do(func(e *engine) { e.withdraw(a.node.now(), a.ours) }) {
		return errClosed
	}
	return nil
}

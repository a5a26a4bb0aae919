// Package nat finds out what stands between this host and others: it asks several STUN
// servers (RFC 8489) from one socket by which address they see it.
//
// Kinds are those of RFC 4787, section 4.1, as far as they decide whether two hosts can
// be led to each other: a NAT that keeps one outer address for whoever is spoken to can
// be told to others (plain), one that takes another for each destination cannot
// (symmetric). Servers that are one host at two ports tell a NAT that looks at the
// destination's port from one that does not; one that looks at its address alone seems
// plain by them, which ICE then finds out by trying.
//
// All functions are safe for concurrent use.
package nat

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/pion/stun/v4"

	"github.com/tutti-audio/tutti/internal/udp"
)

// Kind is what kind of NAT there is.
type Kind int

// The kinds.
const (
	Unknown   Kind = iota // a NAT, but only one server answered
	None                  // this host's address is its own
	Plain                 // one outer address for all destinations
	Symmetric             // another one for each
	Blocked               // UDP does not come back
)

func (k Kind) String() string {
	return [...]string{"a NAT", "no NAT", "a plain NAT", "a symmetric NAT", "UDP is blocked"}[k]
}

// Finding is what was found out.
type Finding struct {
	Kind   Kind
	Mapped netip.AddrPort // the outer address, by the first that answered; invalid: nobody did
}

const (
	askEvery = 250 * time.Millisecond // each server, until it answers
	askFor   = 4                      // times
)

// Judge tells the kind of NAT in front of a socket from the addresses by which servers
// saw it.
func Judge(local netip.AddrPort, seen []netip.AddrPort) Kind {
	if len(seen) == 0 {
		return Blocked
	}
	for _, a := range seen[1:] {
		if a != seen[0] {
			return Symmetric
		}
	}
	switch {
	case seen[0] == local:
		return None
	case len(seen) == 1:
		return Unknown
	}
	return Plain
}

// Probe asks the servers, which takes a second where one of them does not answer. They
// must be of one family. It fails where nothing can be sent.
func Probe(ctx context.Context, servers []netip.AddrPort) (Finding, error) {
	if len(servers) == 0 {
		return Finding{}, errors.New("no STUN server is known")
	}
	_, local, err := udp.InterfaceTo(servers[0].Addr())
	if err != nil {
		return Finding{}, err
	}
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, 0)))
	if err != nil {
		return Finding{}, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	question, err := stun.Build(stun.TransactionID, stun.BindingRequest)
	if err != nil {
		return Finding{}, err
	}
	seen := ask(conn, question, servers)
	if ctx.Err() != nil {
		return Finding{}, ctx.Err()
	}
	bound := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	f := Finding{Kind: Judge(netip.AddrPortFrom(local.WithZone(""), bound.Port()), seen)}
	if len(seen) > 0 {
		f.Mapped = seen[0]
	}
	return f, nil
}

// ask returns by which addresses the servers see a socket.
func ask(conn *net.UDPConn, question *stun.Message, servers []netip.AddrPort) (seen []netip.AddrPort) {
	missing := map[netip.AddrPort]bool{}
	for _, s := range servers {
		missing[s] = true
	}
	b := make([]byte, 1500)
	for range askFor {
		for s := range missing {
			_, _ = conn.WriteToUDPAddrPort(question.Raw, s)
		}
		for end := time.Now().Add(askEvery); len(missing) > 0; {
			_ = conn.SetReadDeadline(end)
			n, from, err := conn.ReadFromUDPAddrPort(b)
			if err != nil {
				if errors.Is(err, net.ErrClosed) {
					return nil
				}
				break
			}
			from = netip.AddrPortFrom(from.Addr().Unmap().WithZone(""), from.Port())
			a, err := mapped(b[:n], question)
			if err == nil && missing[from] {
				delete(missing, from)
				seen = append(seen, a)
			}
		}
	}
	return seen
}

// mapped reads the answer to a question.
func mapped(b []byte, question *stun.Message) (netip.AddrPort, error) {
	m := &stun.Message{Raw: b}
	if err := m.Decode(); err != nil {
		return netip.AddrPort{}, err
	}
	if m.Type != stun.BindingSuccess || m.TransactionID != question.TransactionID {
		return netip.AddrPort{}, fmt.Errorf("%v is no answer to the question", m)
	}
	var x stun.XORMappedAddress
	if err := x.GetFrom(m); err != nil {
		return netip.AddrPort{}, err
	}
	a, ok := netip.AddrFromSlice(x.IP)
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("%v is no address", x.IP)
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(x.Port)), nil
}

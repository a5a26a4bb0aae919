// Package ice gives the members of a relay what they need to reach each other
// directly: a STUN and TURN server (RFC 8489, RFC 8656) inside the relay, or the
// address of another, and credentials that are good for an hour or so.
//
// Credentials are those that coturn calls "TURN REST": the name is the time at which
// they end and a label, the password an HMAC-SHA1 of the name. The embedded server
// answers networks that members are in and nobody else, as its answers are longer than
// the questions; it relays to no address of this host or of its network: it would be a
// way in. Where it does not know by which address others reach it, it does STUN alone.
//
// A Server is safe for concurrent use; Close waits for the library's goroutines.
package ice

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/pion/turn/v5"

	"github.com/tutti-audio/tutti/internal/udp"
	"github.com/tutti-audio/tutti/relay/config"
	"github.com/tutti-audio/tutti/relay/web"
)

// realm is what the embedded server asks passwords for.
const realm = "tutti"

// Server gives out credentials, and is the server if that is embedded.
type Server struct {
	port   uint16   // of the embedded server's STUN; 0: it is elsewhere
	urls   []string // of TURN; none: STUN alone
	secret string
	ttl    time.Duration
	turn   *turn.Server // nil: it is elsewhere
}

// New starts what the configuration asks for; nil when that is off. known says whether
// a member is in the network of an address.
func New(c config.TURN, known func(netip.Addr) bool, log *slog.Logger) (*Server, error) {
	s := &Server{urls: c.URLs, secret: c.Secret, ttl: time.Duration(c.TTL) * time.Second}
	switch c.Mode {
	case "coturn":
		return s, nil
	case "embedded":
		return s, s.listen(c, known, log)
	}
	return nil, nil
}

// listen starts the embedded server.
func (s *Server) listen(c config.TURN, known func(netip.Addr) bool, log *slog.Logger) error {
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // it does not fail
	s.secret = base64.RawURLEncoding.EncodeToString(secret[:])
	address, err := config.Address(c.Listen)
	if err != nil {
		return err
	}
	public, err := publicAddress(c.Public, address.Addr())
	if err != nil {
		return err
	}
	listen := net.UDPAddrFromAddrPort(address)
	if address.Addr().IsUnspecified() {
		listen.IP = nil
	}
	conn, err := net.ListenUDP("udp", listen)
	if err != nil {
		return fmt.Errorf("cannot serve TURN: %w: choose another address with turn.listen", err)
	}
	s.port = uint16(conn.LocalAddr().(*net.UDPAddr).Port)
	q := newQuota()
	settings := turn.ServerConfig{Realm: realm, LoggerFactory: quiet{}, QuotaHandler: q.allows, EventHandler: q.events()}
	settings.PacketConnConfigs = []turn.PacketConnConfig{{PacketConn: guarded{conn, known}, PermissionHandler: permit(public)}}
	relays := &settings.PacketConnConfigs[0].RelayAddressGenerator
	if public.IsValid() {
		settings.AuthHandler = turn.LongTermTURNRESTAuthHandler(s.secret, quiet{}.NewLogger(""))
		if *relays, err = ports(c.Ports, public); err != nil {
			return errors.Join(err, conn.Close())
		}
		at := netip.AddrPortFrom(public, s.port)
		s.urls = []string{"turn:" + at.String() + "?transport=udp"}
		log.Info("TURN", "at", at, "ports", c.Ports)
	} else { // nobody is told a password for it
		*relays = &turn.RelayAddressGeneratorNone{Address: "127.0.0.1"}
		log.Info("STUN alone: this host has no public address; with turn.public there is TURN as well", "at", conn.LocalAddr())
	}
	if s.turn, err = turn.NewServer(settings); err != nil {
		return fmt.Errorf("cannot serve TURN: %w", errors.Join(err, conn.Close()))
	}
	return nil
}

// publicAddress returns the address that was set, or else the one that is listened on,
// or by which this host reaches the internet, if that is no private one; or none.
func publicAddress(set string, listen netip.Addr) (netip.Addr, error) {
	if set != "" {
		a, err := netip.ParseAddr(set)
		if err != nil {
			return netip.Addr{}, fmt.Errorf("turn.public: %w", err)
		}
		return a, nil
	}
	candidates := []netip.Addr{listen}
	if listen.IsUnspecified() {
		candidates = nil
		for _, anywhere := range []string{"192.0.2.1", "2001:db8::1"} { // RFC 5737, RFC 3849
			if _, a, err := udp.InterfaceTo(netip.MustParseAddr(anywhere)); err == nil {
				candidates = append(candidates, a)
			}
		}
	}
	shared := netip.MustParsePrefix("100.64.0.0/10") // RFC 6598
	for _, a := range candidates {
		if a.IsGlobalUnicast() && !a.IsPrivate() && !shared.Contains(a) {
			return a, nil
		}
	}
	return netip.Addr{}, nil
}

// ports makes relayed addresses.
func ports(text string, public netip.Addr) (turn.RelayAddressGenerator, error) {
	least, most, err := config.ParsePorts(text)
	if err != nil {
		return nil, err
	}
	bind := "0.0.0.0"
	if public.Is6() {
		bind = "::"
	}
	return &turn.RelayAddressGeneratorPortRange{RelayAddress: net.IP(public.AsSlice()), Address: bind, MinPort: least, MaxPort: most}, nil
}

// guarded is a socket that hears known networks alone.
type guarded struct {
	net.PacketConn
	known func(netip.Addr) bool
}

// ReadFrom implements net.PacketConn.
func (g guarded) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := g.PacketConn.ReadFrom(b)
		if u, ok := from.(*net.UDPAddr); err != nil || ok && g.known(u.AddrPort().Addr()) {
			return n, from, err
		}
	}
}

// permit refuses peers that are no business of a stranger's: this host, and private
// networks unless the server is in one itself.
func permit(public netip.Addr) func(net.Addr, net.IP) bool {
	return func(_ net.Addr, ip net.IP) bool {
		peer, ok := netip.AddrFromSlice(ip)
		peer = peer.Unmap()
		switch {
		case !ok || peer.IsUnspecified() || peer.IsMulticast() || peer.IsLinkLocalUnicast():
			return false
		case peer == public: // two who are both relayed here
			return true
		case peer.IsLoopback():
			return public.IsLoopback()
		}
		return !peer.IsPrivate() || public.IsPrivate() || public.IsLoopback()
	}
}

// Servers returns the servers with credentials for one session; host is this one as
// the client knows it.
func (s *Server) Servers(session, host string) (all []web.ICEServer) {
	if s.port != 0 {
		all = append(all, web.ICEServer{URLs: []string{"stun:" + net.JoinHostPort(host, strconv.Itoa(int(s.port)))}})
	}
	if len(s.urls) == 0 {
		return all
	}
	label := session[:min(len(session), 8)]
	name, password, err := turn.GenerateLongTermTURNRESTCredentials(s.secret, label, s.ttl)
	if err != nil {
		return all
	}
	var stun []string
	for _, u := range s.urls {
		if at, ok := stunURL(u); ok && s.port == 0 {
			stun = append(stun, at)
		}
	}
	if len(stun) > 0 {
		all = append(all, web.ICEServer{URLs: stun})
	}
	return append(all, web.ICEServer{URLs: s.urls, Username: name, Credential: password})
}

// Close ends the embedded server.
func (s *Server) Close() error {
	if s.turn == nil {
		return nil
	}
	return s.turn.Close()
}

// Package ice gives the members of a relay what they need to reach each other
// directly: a STUN and TURN server (RFC 8489, RFC 8656) inside the relay, or the
// address of another, and credentials that are good for an hour or so.
//
// Credentials are those that coturn calls "TURN REST": the name is the time at which
// they end and a label, the password an HMAC-SHA1 of the name. The embedded server
// relays to no address of this host or of its network: it would be a way in.
//
// A Server is safe for concurrent use; Close waits for the library's goroutines.
package ice

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/pion/turn/v5"

	"github.com/tutti-audio/tutti/relay/config"
	"github.com/tutti-audio/tutti/relay/web"
)

// realm is what the embedded server asks passwords for.
const realm = "tutti"

// Server gives out credentials, and is the server if that is embedded.
type Server struct {
	urls   []string
	secret string
	ttl    time.Duration
	turn   *turn.Server // nil: it is elsewhere
}

// New starts what the configuration asks for; nil when that is off.
func New(c config.TURN, log *slog.Logger) (*Server, error) {
	s := &Server{urls: c.URLs, secret: c.Secret, ttl: time.Duration(c.TTL) * time.Second}
	switch c.Mode {
	case "coturn":
		return s, nil
	case "embedded":
		return s, s.listen(c, log)
	}
	return nil, nil
}

// listen starts the embedded server.
func (s *Server) listen(c config.TURN, log *slog.Logger) error {
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // it does not fail
	s.secret = base64.RawURLEncoding.EncodeToString(secret[:])
	address, err := config.Address(c.Listen)
	if err != nil {
		return err
	}
	public, err := netip.ParseAddr(c.Public)
	if err != nil {
		return fmt.Errorf("turn.public: %w", err)
	}
	least, most, err := config.ParsePorts(c.Ports)
	if err != nil {
		return err
	}
	network := "udp4"
	if public.Is6() {
		network = "udp6"
	}
	listen := net.UDPAddrFromAddrPort(address)
	if address.Addr().IsUnspecified() {
		listen.IP = nil
	}
	conn, err := net.ListenUDP(network, listen)
	if err != nil {
		return fmt.Errorf("cannot serve TURN: %w: choose another address with turn.listen", err)
	}
	bind := "0.0.0.0"
	if public.Is6() {
		bind = "::"
	}
	q := newQuota()
	s.turn, err = turn.NewServer(turn.ServerConfig{
		QuotaHandler: q.allows, EventHandler: q.events(),
		Realm: realm, AuthHandler: turn.LongTermTURNRESTAuthHandler(s.secret, quiet{}.NewLogger("")), LoggerFactory: quiet{},
		PacketConnConfigs: []turn.PacketConnConfig{{
			PacketConn: conn, PermissionHandler: permit(public),
			RelayAddressGenerator: &turn.RelayAddressGeneratorPortRange{RelayAddress: net.IP(public.AsSlice()), Address: bind, MinPort: least, MaxPort: most},
		}},
	})
	if err != nil {
		_ = conn.Close()
		return fmt.Errorf("cannot serve TURN: %w", err)
	}
	at := netip.AddrPortFrom(public, uint16(conn.LocalAddr().(*net.UDPAddr).Port))
	s.urls = []string{"turn:" + at.String() + "?transport=udp"}
	log.Info("TURN", "at", at, "ports", c.Ports)
	return nil
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

// Servers returns the servers with credentials for one session.
func (s *Server) Servers(session string) []web.ICEServer {
	label := session[:min(len(session), 8)]
	name, password, err := turn.GenerateLongTermTURNRESTCredentials(s.secret, label, s.ttl)
	if err != nil {
		return nil
	}
	var stun []string
	for _, u := range s.urls {
		if host, ok := stunURL(u); ok {
			stun = append(stun, host)
		}
	}
	all := []web.ICEServer{{URLs: s.urls, Username: name, Credential: password}}
	if len(stun) > 0 {
		all = append([]web.ICEServer{{URLs: stun}}, all...)
	}
	return all
}

// Close ends the embedded server.
func (s *Server) Close() error {
	if s.turn == nil {
		return nil
	}
	return s.turn.Close()
}

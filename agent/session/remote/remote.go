// Package remote is one stream off the LAN: a [Receiver] that hears it from a relay,
// and an [Uplink] by which a sender gives it to one.
//
// Both are members of a channel at the relay (docs/spec, section 5). A membership has
// one goroutine that reads and one that keeps it alive; lines and media share its
// socket. What is lost is asked for again while that can still be in time (NACK), and
// recovered from parity (ostp/fec), of which the source sends as much as listeners need
// by what they report. The house's time is what the quickest packets tell
// (sync/arrival), and playout waits for as long as 99 of 100 packets need.
//
// Everything owns its goroutines and sockets; Close waits for them.
package remote

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/tutti-audio/tutti/ostp/fec"
)

// The ports of a relay (docs/spec, section 5).
const (
	DefaultUDP  = 5100
	DefaultHTTP = 5102
)

// MaxPayload is the longest payload of media that crosses the internet in one piece, as
// its parity does (docs/spec, section 1).
const MaxPayload = fec.MaxPayload

// Reasons for which a membership ends by itself.
var (
	ErrSilent  = errors.New("the relay has fallen silent")
	ErrDeaf    = errors.New("the relay answers PINGs but no JOIN: it does not work as a relay now; its operator must restart it")
	ErrMoved   = errors.New("the relay asks its members to go elsewhere")
	ErrRoamed  = errors.New("this host's way to the relay has changed")
	ErrRefused = errors.New("the relay refuses")
	ErrChanged = errors.New("the source has begun another stream")
)

// Endpoint is where a relay is.
type Endpoint struct {
	Host string
	UDP  uint16
	HTTP uint16
	TLS  bool // HTTP by TLS, UDP by DTLS-SRTP
	// Roots are the authorities that may vouch for it; nil: the system's.
	Roots *x509.CertPool
}

// ParseEndpoint reads a relay's address: host, host:port (of UDP; HTTP is two above),
// or https://host[:port] (of HTTP; UDP is 5100): then all is encrypted, and the relay
// must have a certificate for its name.
func ParseEndpoint(s string) (Endpoint, error) {
	e := Endpoint{Host: s, UDP: DefaultUDP, HTTP: DefaultHTTP}
	if strings.Contains(s, "://") {
		return parseURL(s)
	}
	if host, port, err := net.SplitHostPort(s); err == nil {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || n > 65533 {
			return e, fmt.Errorf("relay %q: the port must be from 1 to 65533", s)
		}
		e.Host, e.UDP, e.HTTP = host, uint16(n), uint16(n)+DefaultHTTP-DefaultUDP
	}
	e.Host = strings.Trim(e.Host, "[]")
	if e.Host == "" || strings.ContainsAny(e.Host, "/ ") {
		return e, fmt.Errorf("relay %q: name it as host, host:port or https://host", s)
	}
	return e, nil
}

func parseURL(s string) (Endpoint, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" {
		return Endpoint{}, fmt.Errorf("relay %q: name it as host, host:port or https://host", s)
	}
	e := Endpoint{Host: u.Hostname(), UDP: DefaultUDP, HTTP: DefaultHTTP, TLS: u.Scheme == "https"}
	if port := u.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return e, fmt.Errorf("relay %q: the port must be from 1 to 65535", s)
		}
		e.HTTP = uint16(n)
	}
	return e, nil
}

// URL is the address of a path at the relay's HTTP.
func (e Endpoint) URL(path string) string {
	scheme := "http"
	if e.TLS {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(e.Host, strconv.Itoa(int(e.HTTP))) + path
}

// String is host:port of UDP.
func (e Endpoint) String() string { return net.JoinHostPort(e.Host, strconv.Itoa(int(e.UDP))) }

package web

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/relay/hub"
)

// channel is /api/channel/NAME/bootstrap and …/description; NAME may have slashes.
func (s *Server) channel(w http.ResponseWriter, r *http.Request) {
	rest := strings.TrimPrefix(r.URL.Path, "/api/channel/")
	i := max(strings.LastIndexByte(rest, '/'), 0)
	name, what := rest[:i], strings.TrimPrefix(rest[i:], "/")
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if err := ostp.CheckChannel(name); err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	switch r.Method + " " + what {
	case "GET bootstrap":
		s.getBootstrap(w, r, name)
	case "GET description", "HEAD description":
		s.getDescription(w, r, name)
	case "PUT description":
		s.putDescription(w, r, name)
	default:
		fail(w, http.StatusNotFound, "there is GET …/bootstrap, and GET and PUT …/description")
	}
}

func (s *Server) getDescription(w http.ResponseWriter, r *http.Request, name string) {
	text, etag, err := s.config.Hub.Description(name, bearer(r))
	if err != nil {
		fail(w, statusOf(err), err.Error())
		return
	}
	w.Header().Set("ETag", strconv.Quote(etag))
	w.Header().Set("Cache-Control", "no-cache")
	if r.Header.Get("If-None-Match") == strconv.Quote(etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/sdp")
	_, _ = w.Write(text)
}

func (s *Server) putDescription(w http.ResponseWriter, r *http.Request, name string) {
	text, err := io.ReadAll(io.LimitReader(r.Body, hub.MaxDescription+1))
	if err != nil {
		fail(w, http.StatusBadRequest, "the description did not arrive whole: send it again")
		return
	}
	etag, err := s.config.Hub.Describe(name, bearer(r), text)
	if err != nil {
		fail(w, statusOf(err), err.Error())
		return
	}
	w.Header().Set("ETag", strconv.Quote(etag))
	w.WriteHeader(http.StatusNoContent)
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, hub.ErrSession):
		return http.StatusUnauthorized
	case errors.Is(err, hub.ErrMayNot):
		return http.StatusForbidden
	case errors.Is(err, hub.ErrTooLong):
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusNotFound
}

// Bootstrap is what a client needs to know to join a channel. Of a private channel
// a stranger is told nothing but that.
type Bootstrap struct {
	Channel     string      `json:"channel"`
	Private     bool        `json:"private"`
	Live        bool        `json:"live,omitempty"`         // somebody sends
	PayloadType int         `json:"payload_type,omitempty"` // of what is sent
	Codec       string      `json:"codec,omitempty"`
	Members     int         `json:"members,omitempty"`
	Relay       *Addresses  `json:"relay,omitempty"`
	Modes       []string    `json:"modes,omitempty"`
	ICEServers  []ICEServer `json:"ice_servers,omitempty"` // for members only
	Description string      `json:"description,omitempty"` // path
}

// Addresses are where a relay is reached.
type Addresses struct {
	UDP       string `json:"udp"`
	DTLS      bool   `json:"dtls"` // DTLS-SRTP on the same port
	Lines     string `json:"lines,omitempty"`
	WebSocket string `json:"websocket"`
}

// modes are the ways by which a channel can be heard.
func modes() []string { return []string{"p2p", "relay", "websocket"} }

func (s *Server) getBootstrap(w http.ResponseWriter, r *http.Request, name string) {
	session := bearer(r)
	state := s.config.Hub.State(name, session)
	b := Bootstrap{Channel: name, Private: state.Private}
	if state.Private && !state.Member {
		reply(w, b)
		return
	}
	b.Live, b.Members, b.Modes, b.Description = state.Live, state.Members, modes(), "/api/channel/"+name+"/description"
	if b.PayloadType = int(state.PayloadType); b.PayloadType != 0 {
		b.Codec = state.PayloadType.String()
	}
	b.Relay = s.addresses(r, name)
	if state.Member {
		if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
			s.config.Hub.Vouch(from.Addr())
		}
		b.ICEServers = s.iceServers(session, b.Relay.UDP)
	}
	reply(w, b)
}

// iceServers lists what helps members to reach each other straight: the UDP port of the
// relay itself, which does STUN and is known to be reached, and the embedded server or
// another.
func (s *Server) iceServers(session, relay string) []ICEServer {
	all := []ICEServer{{URLs: []string{"stun:" + relay}}}
	if s.config.ICE != nil {
		host, _, _ := net.SplitHostPort(relay)
		all = append(all, s.config.ICE(session, host)...)
	}
	return all
}

// addresses names this relay as the client knows it.
func (s *Server) addresses(r *http.Request, name string) *Addresses {
	settings := s.settings.Load()
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		host, port = strings.Trim(r.Host, "[]"), ""
	}
	if settings.Public != "" {
		host = settings.Public
	}
	web := host
	if port != "" {
		web = net.JoinHostPort(host, port)
	}
	a := &Addresses{UDP: net.JoinHostPort(host, strconv.Itoa(int(s.config.Hub.LocalAddr().Port()))), DTLS: settings.Certificated}
	if settings.Lines != 0 {
		a.Lines = net.JoinHostPort(host, strconv.Itoa(settings.Lines))
	}
	scheme := "ws"
	if r.TLS != nil {
		scheme = "wss"
	}
	a.WebSocket = scheme + "://" + web + "/ws/audio?channel=" + url.QueryEscape(name)
	return a
}

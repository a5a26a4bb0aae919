// Package config is what an operator sets in tutti-relay.toml.
//
// The fields of [Config] bear their key, description and range as tags; reader,
// checks and the printed file come out of these, so that none can differ from the
// others. The file is read strictly: an unknown key, a wrong type or a value out of
// range is an error that names file, line and remedy. A Config is a plain value.
package config

import (
	"time"

	"github.com/tutti-audio/tutti/relay/hub"
)

// Config is tutti-relay.toml.
type Config struct {
	Listen        string             `toml:"listen" check:"address" doc:"address:port for UDP: media, lines, and DTLS when there is a certificate"`
	Lines         string             `toml:"lines" check:"address?" doc:"address:port for lines over TCP; empty: none"`
	HTTP          string             `toml:"http" check:"address?" doc:"address:port for HTTP and WebSocket, with TLS when there is a certificate; empty: none"`
	Metrics       string             `toml:"metrics" check:"address?" doc:"address:port for /metrics and /healthz alone; empty: /metrics is served on the address of http, to this host"`
	Public        string             `toml:"public" doc:"name or address by which clients reach this relay; empty: as they asked for it"`
	Drain         int                `toml:"drain_s" range:"0-300" doc:"seconds that members have to go elsewhere when the relay is stopped"`
	MoveTo        string             `toml:"move_to" doc:"host:port of the relay that they are sent to; empty: to any other they know"`
	Origins       []string           `toml:"origins" doc:"web pages of other hosts that may connect, such as \"radio.example\" or \"*.radio.example\"; \"*\" is any. Pages of this relay's own host, and programs that are no browser, always may"`
	RawIsFull     bool               `toml:"raw_is_full" doc:"give whole packets to WebSocket clients that ask for the format raw: one existing SDK expects it"`
	AdmitUnproven bool               `toml:"admit_unproven" doc:"also serve UDP clients that cannot echo a challenge, within a small budget; a forged address can then be sent more than it asked for"`
	LogLevel      string             `toml:"log_level" check:"level" doc:"debug, info, warn or error"`
	Limits        Limits             `toml:"limits"`
	TLS           TLS                `toml:"tls"`
	TURN          TURN               `toml:"turn"`
	Channel       map[string]Channel `toml:"channel"`
}

// Limits bound what is served.
type Limits struct {
	Members         int `toml:"members" range:"2-100000" doc:"members of one channel"`
	Channels        int `toml:"channels" range:"1-100000" doc:"channels of this relay"`
	JoinsPerSecond  int `toml:"joins_per_second" range:"1-1000" doc:"JOINs of one address"`
	JoinsPerNetwork int `toml:"joins_per_network" range:"1-100000" doc:"JOINs of one /24 (IPv4) or /56 (IPv6) each second"`
	SourceKBs       int `toml:"source_kbytes" range:"8-100000" doc:"kilobytes that one source may send each second"`
	WebSockets      int `toml:"websockets" range:"1-100000" doc:"WebSocket and TCP connections at a time"`
}

// TLS is the relay's certificate: of files, or from an ACME directory.
type TLS struct {
	Certificate string   `toml:"certificate" doc:"file of the certificate and its chain, PEM; read again when it changes"`
	Key         string   `toml:"key" doc:"file of its private key, PEM"`
	Domains     []string `toml:"domains" doc:"names to get a certificate for by ACME; then http must be reached from outside on port 443, or acme_http on 80"`
	Email       string   `toml:"acme_email" doc:"where the authority writes to"`
	Directory   string   `toml:"acme_directory" doc:"URL of the authority's directory; empty: Let's Encrypt"`
	Roots       string   `toml:"acme_roots" doc:"file of certificates that the directory is trusted by, PEM; empty: the system's"`
	Cache       string   `toml:"acme_cache" doc:"directory in which certificates are kept; empty: that of systemd"`
	HTTP        string   `toml:"acme_http" check:"address?" doc:"address:port for the authority's questions over HTTP, such as \":80\"; empty: none"`
}

// TURN is how clients behind hard NATs reach each other.
type TURN struct {
	Mode   string   `toml:"mode" check:"turn" doc:"embedded (in this relay), coturn (elsewhere, with a shared secret) or off"`
	Listen string   `toml:"listen" check:"address" doc:"address:port of the embedded server, UDP; it answers networks that members are in"`
	Public string   `toml:"public" doc:"IP address of this host as clients see it, which the embedded server gives out; empty: that of the interface to the internet, and where that is a private one the server does STUN alone"`
	Ports  string   `toml:"ports" check:"ports" doc:"UDP ports that the embedded server relays by"`
	URLs   []string `toml:"urls" doc:"where coturn is, such as \"turn:turn.example:3478\""`
	Secret string   `toml:"secret" secret:"true" doc:"coturn's static-auth-secret; the embedded server makes its own"`
	TTL    int      `toml:"ttl_s" range:"60-86400" doc:"seconds that credentials are good for"`
}

// Channel is the access to one channel.
type Channel struct {
	Password     string `toml:"password" secret:"true" doc:"that listeners need; empty: none, the channel is public"`
	SendPassword string `toml:"send_password" secret:"true" doc:"of those who may send; empty: whoever creates the channel may"`
}

// Default returns the configuration of a relay without a file.
func Default() Config {
	return Config{
		Listen: ":5100", Lines: ":5101", HTTP: ":5102", Drain: 5, LogLevel: "info",
		Limits: Limits{Members: 1000, Channels: 1000, JoinsPerSecond: 10, JoinsPerNetwork: 200, SourceKBs: 2048, WebSockets: 10000},
		TURN:   TURN{Mode: "embedded", Listen: ":3478", Ports: "49152-65535", TTL: 3600},
	}
}

// Settings returns what the hub is told.
func (c Config) Settings() hub.Settings {
	s := hub.Settings{
		Channels: map[string]hub.Access{}, AdmitUnproven: c.AdmitUnproven, MaxMembers: c.Limits.Members, MaxChannels: c.Limits.Channels,
		JoinsPerSecond: float64(c.Limits.JoinsPerSecond), JoinsPerNetwork: float64(c.Limits.JoinsPerNetwork), SourceBytes: c.Limits.SourceKBs << 10,
	}
	for name, a := range c.Channel {
		s.Channels[name] = hub.Access{Password: a.Password, SendPassword: a.SendPassword}
	}
	return s
}

// DrainTime is Drain as a duration.
func (c Config) DrainTime() time.Duration { return time.Duration(c.Drain) * time.Second }

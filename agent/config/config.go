// Package config is what a person sets in tutti.toml, and what a speaker itself
// remembers over a power cut.
package config

import "time"

// Config is tutti.toml.
type Config struct {
	Name       string  // of this speaker; empty: the host's name
	Room       string  // where it stands; empty: its name
	Channel    string  // to play; empty: the first that is found
	Source     string  // host:port of a sender, for networks without mDNS
	Output     string  // auto, pulse[:SINK], wav:FILE, virtual[:…], null
	ChannelMap string  // stereo, left, right, mono, 3, 3+4
	Volume     int     // 0 to 100, until it is changed for the first time
	TrimMS     float64 // likewise; above 0: play later
	Interface  string  // empty: all that can multicast
	StateDir   string  // where State is kept; empty: the user's state directory
	Tolerant   bool    // accept the CRCs of senders that read the draft differently
	Legacy     bool    // answer clients that look for _soluna._udp and _soluna._tcp
	HTTP       HTTP
	LogLevel   string // debug, info, warn, error

	HostSkewPPM float64 // for experiments: run this host's clock fast
}

// HTTP is how the API is served.
type HTTP struct {
	Listen string // address:port; ":8400" is every address
	Key    string // household key; empty: no key is asked for
}

// Default returns the configuration of a speaker without a file.
func Default() Config {
	return Config{Output: "auto", ChannelMap: "stereo", Volume: 50, Legacy: true, LogLevel: "info", HTTP: HTTP{Listen: ":8400"}}
}

// State is what survives a power cut.
type State struct {
	ID         string         `json:"id"`
	Name       string         `json:"name,omitempty"`
	Channel    *string        `json:"channel,omitempty"`
	ChannelMap string         `json:"channel_map,omitempty"`
	Volume     *int           `json:"volume,omitempty"`
	Muted      bool           `json:"muted"`
	Trim       *time.Duration `json:"trim_ns,omitempty"`
	CardPPM    float64        `json:"card_ppm"` // of the output's crystal, as it was last known
}

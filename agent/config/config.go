// Package config is what a person sets in tutti.toml, and what a speaker itself
// remembers over a power cut.
//
// One table, [Keys], holds every setting with its type, default, range and
// description; the file's reader, the printed file and the flags of `tutti run`
// come out of it, so that none can differ from the others. The file is read
// strictly: an unknown key or a value out of range is an error that names the
// line. go-toml's expression parser is used rather than its decoder, because only
// the former tells the line of a value that is of the right type but out of range.
//
// Volumes are percent, trims milliseconds. Nothing here is safe for concurrent
// use; a Config is a plain value.
package config

import (
	"path/filepath"
	"time"
)

// Config is tutti.toml; Keys says what each field means.
type Config struct {
	Name       string
	Room       string
	Channel    string
	Source     string
	Relay      string
	Password   string
	Turn       bool
	Gateway    bool
	Output     string
	ChannelMap string
	Volume     int
	TrimMS     float64
	Interface  string
	StateDir   string
	Tolerant   bool
	Legacy     bool
	LogLevel   string
	HTTP       HTTP
	Hardware   Hardware

	HostSkewPPM float64
}

// HTTP is how the API is served.
type HTTP struct {
	Listen string
	Key    string
}

// Hardware is what is wired to the board. An empty pin is not there.
type Hardware struct {
	DAC string

	AmplifierPin, AmplifierOn         string // On: the level at which it sounds
	AmplifierIdleS, AmplifierSettleMS float64
	AmplifierChip                     string
	AmplifierBus, AmplifierAddress    int
	AmplifierGainDB                   float64
	LightPin, LightOn                 string
	PlayPin, UpPin, DownPin, NextPin  string // buttons to ground
	EncoderAPin, EncoderBPin          string
	VolumeStep                        int
}

// DefaultListen is where a speaker's API is served unless configured otherwise.
const DefaultListen = ":8400"

// Default returns the configuration of a speaker without a file. StateDir is
// empty: DefaultStateDir knows it.
func Default() Config {
	return Config{Gateway: true, Output: "auto", ChannelMap: "stereo", Volume: 50, Legacy: true, LogLevel: "info", HTTP: HTTP{Listen: DefaultListen},
		Hardware: Hardware{AmplifierOn: "high", AmplifierIdleS: 60, AmplifierSettleMS: 50, AmplifierBus: 1, LightOn: "high", VolumeStep: 3}}
}

// DefaultStateDir returns where State is kept when nothing is configured: where
// systemd says, else the user's state directory, else that of the system.
func DefaultStateDir(getenv func(string) string, uid int) string {
	if dir := getenv("STATE_DIRECTORY"); dir != "" {
		return dir
	}
	if dir := getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "tutti")
	}
	if home := getenv("HOME"); uid != 0 && filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "tutti")
	}
	return "/var/lib/tutti"
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

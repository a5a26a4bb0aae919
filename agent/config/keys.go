package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Key is one setting.
type Key struct {
	Name    string // in the file; a table's name stands before a dot
	Flag    string // of tutti run
	Doc     string // what it is for, without a full stop
	Range   string // what is allowed, for people; empty where Doc says it
	Example string // a value worth showing when the default is empty
	Secret  bool   // never shown

	field func(*Config) any // *string, *int, *float64 or *bool
	check func(any) error   // nil: any value of the type
}

// Keys returns every setting, in the order of the printed file.
func Keys() []Key {
	return append(append(speakerKeys(), systemKeys()...), tableKeys()...)
}

func speakerKeys() []Key {
	return []Key{
		{Name: "name", Flag: "name", Doc: "name of this speaker, as others see it; empty: the host's name", Example: "Kitchen", Range: "up to 63 bytes",
			field: func(c *Config) any { return &c.Name }, check: label},
		{Name: "room", Flag: "room", Doc: "room it stands in; speakers of one room are set together; empty: its name", Example: "Kitchen", Range: "up to 63 bytes",
			field: func(c *Config) any { return &c.Room }, check: label},
		{Name: "channel", Flag: "channel", Doc: "channel to play; empty: the first that is found", Example: "house",
			field: func(c *Config) any { return &c.Channel }, check: channel},
		{Name: "source", Flag: "source", Doc: "host:port of a sender, for networks without mDNS; empty: found by itself", Example: "192.168.1.20:8401",
			field: func(c *Config) any { return &c.Source }, check: hostPort},
		{Name: "output", Flag: "output", Doc: "sound device: auto, alsa[:hw:CARD,DEVICE or a card's id], pulse[:SINK], wav:FILE, virtual[:ppm=…,…] or null", Example: "alsa:hw:0,0",
			field: func(c *Config) any { return &c.Output }, check: outputKind},
		{Name: "channel_map", Flag: "channel-map", Doc: "which of the stream's channels to play: stereo, left, right, mono, one by number (3) or two (3+4)",
			field: func(c *Config) any { return &c.ChannelMap }, check: channelMap},
		{Name: "volume", Flag: "volume", Doc: "volume in percent, until it is changed for the first time", Range: "0 to 100",
			field: func(c *Config) any { return &c.Volume }, check: between(0, 100)},
		{Name: "trim_ms", Flag: "trim", Doc: "play later (above 0) or earlier by so many milliseconds, for a delay behind the output, until it is changed for the first time", Range: "-2000 to 2000",
			field: func(c *Config) any { return &c.TrimMS }, check: between(-2000, 2000)},
	}
}

func systemKeys() []Key {
	return []Key{
		{Name: "interface", Flag: "interface", Doc: "network interface; empty: all that can multicast", Example: "eth0",
			field: func(c *Config) any { return &c.Interface }, check: interfaceName},
		{Name: "state_dir", Flag: "state-dir", Doc: "directory in which volume, mute, trim, name and channel survive a power cut; empty: that of systemd or of the user", Example: "/var/lib/tutti",
			field: func(c *Config) any { return &c.StateDir }},
		{Name: "tolerant", Flag: "tolerant", Doc: "also play senders that compute the packets' checksum differently",
			field: func(c *Config) any { return &c.Tolerant }},
		{Name: "legacy", Flag: "legacy", Doc: "also be found by clients that look for _soluna._udp and _soluna._tcp",
			field: func(c *Config) any { return &c.Legacy }},
		{Name: "log_level", Flag: "log-level", Doc: "debug, info, warn or error",
			field: func(c *Config) any { return &c.LogLevel }, check: oneOf("debug", "info", "warn", "error")},
	}
}

func tableKeys() []Key {
	return []Key{
		{Name: "http.listen", Flag: "http", Doc: "address:port of the web page and the API; \":8400\" is every address of this host, \"127.0.0.1:8400\" this host alone",
			field: func(c *Config) any { return &c.HTTP.Listen }, check: listenAddress},
		{Name: "http.key", Flag: "key", Doc: "household key that the page and the API ask for; empty: none. $TUTTI_KEY sets it unseen by others on this host", Range: "8 to 128 printable ASCII characters", Secret: true,
			field: func(c *Config) any { return &c.HTTP.Key }, check: secret},
		{Name: "experimental.host_skew_ppm", Flag: "host-skew-ppm", Doc: "run this host's clock fast by so many parts per million, to try out differing hosts on one machine", Range: "-500 to 500",
			field: func(c *Config) any { return &c.HostSkewPPM }, check: between(-500, 500)},
	}
}

// Type returns string, integer, number or boolean.
func (k Key) Type() string {
	switch k.field(&Config{}).(type) {
	case *int:
		return "integer"
	case *float64:
		return "number"
	case *bool:
		return "boolean"
	}
	return "string"
}

// Text returns the value in c.
func (k Key) Text(c Config) string {
	switch p := k.field(&c).(type) {
	case *int:
		return strconv.Itoa(*p)
	case *float64:
		return strconv.FormatFloat(*p, 'g', -1, 64)
	case *bool:
		return strconv.FormatBool(*p)
	case *string:
		return *p
	}
	return ""
}

// Set reads text into c and refuses what is not allowed; then c is as it was.
func (k Key) Set(c *Config, text string) error {
	next := *c
	var err error
	switch p := k.field(&next).(type) {
	case *int:
		var v int64
		v, err = strconv.ParseInt(text, 0, 32)
		*p = int(v)
	case *float64:
		*p, err = strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
	case *bool:
		*p, err = strconv.ParseBool(text)
	case *string:
		*p = text
	}
	if err != nil {
		return fmt.Errorf("%q is no %s%s", k.shown(text), k.Type(), k.allowed())
	}
	if k.check != nil {
		if err := k.check(k.field(&next)); err != nil {
			return fmt.Errorf("%s%s", k.conceal(err, text), k.allowed())
		}
	}
	*c = next
	return nil
}

// shown is text unless that is secret.
func (k Key) shown(text string) string {
	if k.Secret {
		return "***"
	}
	return text
}

func (k Key) conceal(err error, text string) string {
	if k.Secret && text != "" {
		return "the key is unsuitable"
	}
	return err.Error()
}

func (k Key) allowed() string {
	if k.Range == "" {
		return ""
	}
	return ": use " + k.Range
}

// Find returns the setting of that name in the file.
func Find(name string) (Key, bool) {
	for _, k := range Keys() {
		if k.Name == name {
			return k, true
		}
	}
	return Key{}, false
}

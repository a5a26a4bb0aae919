package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tutti-audio/tutti/hw/dac"
	"github.com/tutti-audio/tutti/hw/tas58xx"
)

// Key is one setting.
type Key struct {
	Name    string // in the file; a table's name stands before a dot
	Flag    string // of tutti run; empty: it is set in the file alone
	Doc     string // what it is for, without a full stop
	Range   string // what is allowed, for people; empty where Doc says it
	Example string // a value worth showing when the default is empty
	Secret  bool   // never shown

	field func(*Config) any // *string, *int, *float64 or *bool
	check func(any) error   // nil: any value of the type
}

// Keys returns every setting, in the order of the printed file.
func Keys() []Key {
	return slices.Concat(speakerKeys(), systemKeys(), tableKeys(), amplifierKeys(), handKeys())
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
		{Name: "relay", Flag: "relay", Doc: "relay by which to hear the channel where its source is not on this network: host, host:port or https://host; empty: none", Example: "relay.example.org",
			field: func(c *Config) any { return &c.Relay }},
		{Name: "password", Flag: "password", Doc: "password of the channel at the relay, if it has one; given as a flag, other users of this host can see it", Example: "open sesame",
			field: func(c *Config) any { return &c.Password }},
		{Name: "turn", Flag: "turn", Doc: "hear the source by the relay's TURN server, encrypted from end to end, where no straight way to it is found",
			field: func(c *Config) any { return &c.Turn }},
		{Name: "gateway", Flag: "gateway", Doc: "fetch a stream from outside once for all speakers of the house, or stand by to do so, as they agree",
			field: func(c *Config) any { return &c.Gateway }},
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

// aPin is where pins come from, for people.
const aPin = "a GPIO line, by its name as in GPIO17 or as CHIP:NUMBER; empty: none"

func amplifierKeys() []Key {
	return []Key{
		{Name: "hardware.dac", Doc: "sound add-on of this board, where it does not tell by itself; tutti doctor shows what was found", Example: "hifiberry-amp2",
			field: func(c *Config) any { return &c.Hardware.DAC }, check: orEmpty(oneOf(dac.Names()...))},
		{Name: "hardware.amplifier_pin", Doc: "mute or shutdown of the amplifier, switched without a pop: " + aPin, Example: "GPIO22",
			field: func(c *Config) any { return &c.Hardware.AmplifierPin }, check: pin},
		{Name: "hardware.amplifier_on", Doc: "level of that line at which the amplifier sounds: high or low",
			field: func(c *Config) any { return &c.Hardware.AmplifierOn }, check: oneOf("high", "low")},
		{Name: "hardware.amplifier_idle_s", Doc: "seconds without sound after which the amplifier is switched off", Range: "0 to 86400",
			field: func(c *Config) any { return &c.Hardware.AmplifierIdleS }, check: between(0, 86400)},
		{Name: "hardware.amplifier_settle_ms", Doc: "milliseconds of silence that the amplifier needs after it was switched on", Range: "0 to 5000",
			field: func(c *Config) any { return &c.Hardware.AmplifierSettleMS }, check: between(0, 5000)},
		{Name: "hardware.amplifier_chip", Doc: "amplifier to set up over I2C, where the kernel has no driver for it: tas5805m or tas5825m; empty: none", Example: "tas5805m",
			field: func(c *Config) any { return &c.Hardware.AmplifierChip }, check: orEmpty(oneOf("tas5805m", "tas5825m"))},
		{Name: "hardware.amplifier_bus", Doc: "number of its I2C bus", Range: "0 to 255",
			field: func(c *Config) any { return &c.Hardware.AmplifierBus }, check: between(0, 255)},
		{Name: "hardware.amplifier_address", Doc: "its I2C address, such as 0x2D; 0: the usual one of the chip", Range: "0 to 0x77",
			field: func(c *Config) any { return &c.Hardware.AmplifierAddress }, check: between(0, 0x77)},
		{Name: "hardware.amplifier_gain_db", Doc: "its fixed gain in decibels; the volume is set before it", Range: "-103 to 24",
			field: func(c *Config) any { return &c.Hardware.AmplifierGainDB }, check: between(tas58xx.LeastGain, tas58xx.MostGain)},
	}
}

func handKeys() []Key {
	return []Key{
		{Name: "hardware.light_pin", Doc: "status light: " + aPin, Example: "GPIO27",
			field: func(c *Config) any { return &c.Hardware.LightPin }, check: pin},
		{Name: "hardware.light_on", Doc: "level at which it is lit: high or low",
			field: func(c *Config) any { return &c.Hardware.LightOn }, check: oneOf("high", "low")},
		{Name: "hardware.button_play_pin", Doc: "button to ground that mutes this speaker and lets it sound again; kept down, it goes to the next channel: " + aPin, Example: "GPIO5",
			field: func(c *Config) any { return &c.Hardware.PlayPin }, check: pin},
		{Name: "hardware.button_up_pin", Doc: "button to ground, louder: " + aPin, Example: "GPIO16",
			field: func(c *Config) any { return &c.Hardware.UpPin }, check: pin},
		{Name: "hardware.button_down_pin", Doc: "button to ground, softer: " + aPin, Example: "GPIO6",
			field: func(c *Config) any { return &c.Hardware.DownPin }, check: pin},
		{Name: "hardware.button_next_pin", Doc: "button to ground, next channel: " + aPin, Example: "GPIO24",
			field: func(c *Config) any { return &c.Hardware.NextPin }, check: pin},
		{Name: "hardware.encoder_a_pin", Doc: "first contact of a rotary encoder for the volume, to ground: " + aPin, Example: "GPIO23",
			field: func(c *Config) any { return &c.Hardware.EncoderAPin }, check: pin},
		{Name: "hardware.encoder_b_pin", Doc: "its second contact; when it turns the wrong way, exchange the two", Example: "GPIO25",
			field: func(c *Config) any { return &c.Hardware.EncoderBPin }, check: pin},
		{Name: "hardware.volume_step", Doc: "percent of a push or a click", Range: "1 to 50",
			field: func(c *Config) any { return &c.Hardware.VolumeStep }, check: between(1, 50)},
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

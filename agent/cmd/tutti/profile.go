package main

import (
	"slices"
	"strings"
	"time"

	"github.com/tutti-audio/tutti/internal/nearest"
	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/codec"
)

// profile is a latency with the packet time that suits it.
type profile struct {
	name            string
	latency, packet time.Duration
}

// profileHelp is profiles for people; a test compares them.
const profileHelp = `  wire      5 ms   packets of 1 ms: nothing but cables and quick hosts
  low      20 ms   packets of 2.5 ms: a good wired network
  normal  100 ms   packets of 5 ms
  wifi    300 ms   packets of 10 ms: rides out the pauses of Wi-Fi
  safe      1 s    packets of 20 ms: a network that nothing else helps
`

func profiles() []profile {
	const ms = time.Millisecond
	return []profile{
		{"wire", 5 * ms, ms}, {"low", 20 * ms, 2500 * time.Microsecond}, {"normal", 100 * ms, 5 * ms},
		{"wifi", 300 * ms, 10 * ms}, {"safe", 1000 * ms, 20 * ms},
	}
}

func profileNames() (names []string) {
	for _, p := range profiles() {
		names = append(names, p.name)
	}
	return names
}

// Limits of the latency.
const (
	minLatency = 2 * time.Millisecond
	maxLatency = 10 * time.Second
)

// parseLatency reads a profile's name or a duration, which takes the packet time
// of the nearest shorter profile.
func parseLatency(text string) (profile, error) {
	all := profiles()
	if i := slices.IndexFunc(all, func(p profile) bool { return p.name == text }); i >= 0 {
		return all[i], nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		hint := ""
		if near := nearest.To(text, profileNames()); near != "" {
			hint = ", did you mean " + near + "?"
		}
		return profile{}, misused("latency %q%s: use %s, or a duration such as 80ms", text, hint, strings.Join(profileNames(), ", "))
	}
	if d < minLatency || d > maxLatency {
		return profile{}, misused("latency %v: use %v to %v", d, minLatency, maxLatency)
	}
	own := profile{latency: d, packet: time.Millisecond}
	for _, p := range all {
		if p.latency <= d {
			own.packet = p.packet
		}
	}
	return own, nil
}

// maxPayload is what fits an Ethernet frame: 1500 bytes less IPv6, UDP and the
// stream's own header and checksum.
const maxPayload = 1500 - 40 - 8 - 28

// params says how audio of so many channels is packed.
func (o sendFlags) params(channels int, latency time.Duration) (codec.Params, error) {
	kind, err := codec.ParseName(o.codec)
	if err != nil {
		return codec.Params{}, coded{err, exitMisused}
	}
	p := codec.Params{Type: kind, Channels: channels, Bitrate: o.bitrate * 1000}
	if kind == ostp.FLAC {
		p.Bits = o.bits
	}
	switch {
	case kind == ostp.Opus && (o.bitrate < 32 || o.bitrate > 320):
		return p, misused("bitrate %d: use 32 to 320 kb/s", o.bitrate)
	case kind == ostp.Opus && channels > 2:
		return p, misused("opus carries 1 or 2 channels and this input has %d: give --channels 2, or another --codec", channels)
	case kind == ostp.FLAC && o.bits != 16 && o.bits != 24:
		return p, misused("bits %d: use 16 or 24", o.bits)
	}
	packet, err := o.packetTime(p, latency)
	p.Frames = int(packet * codec.Rate / time.Second)
	return p, err
}

// packetTimes lists those that a codec is sent in.
func packetTimes(kind ostp.PayloadType) []time.Duration {
	const ms = time.Millisecond
	all := []time.Duration{ms, 2500 * time.Microsecond, 5 * ms, 10 * ms, 20 * ms}
	if kind == ostp.Opus {
		return all[1:]
	}
	return all
}

// packetTime is the one given, or the longest that suits latency and network.
func (o sendFlags) packetTime(p codec.Params, latency time.Duration) (time.Duration, error) {
	times := packetTimes(p.Type)
	if o.packet != "" {
		given, err := time.ParseDuration(o.packet)
		if err != nil || !slices.Contains(times, given) {
			return 0, misused("packet time %q: %s takes %v", o.packet, p.Type, times)
		}
		if given > latency/2 {
			return 0, misused("packet time %v: a latency of %v has no room for it, use at most half of that", given, latency)
		}
		return given, nil
	}
	own, err := parseLatency(latency.String())
	if err != nil {
		return 0, err
	}
	best := times[0]
	for _, t := range times {
		if t <= own.packet && fits(p, t) {
			best = t
		}
	}
	if p.Type == ostp.FLAC && latency >= 20*time.Millisecond {
		best = max(best, 5*time.Millisecond) // it gains nothing in shorter ones
	}
	return best, nil
}

// fits reports whether a packet of that time fits an Ethernet frame. What FLAC
// needs is not known before; it is mostly less than PCM.
func fits(p codec.Params, t time.Duration) bool {
	frames := int(t * codec.Rate / time.Second)
	switch p.Type {
	case ostp.PCM16:
		return frames*p.Channels*2 <= maxPayload
	case ostp.PCM24:
		return frames*p.Channels*3 <= maxPayload
	case ostp.FLAC:
		return frames*p.Channels*p.Bits/8 <= 2*maxPayload
	}
	return int(t.Seconds()*float64(p.Bitrate)/8) <= maxPayload
}

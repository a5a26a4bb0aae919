package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/ostp/codec"
)

func TestProfilesAreExplained(t *testing.T) {
	for _, p := range profiles() {
		found := false
		for line := range strings.Lines(profileHelp) {
			words := strings.Fields(line)
			if words[0] == p.name {
				packet := fmt.Sprintf("packets of %g ms", float64(p.packet)/1e6)
				latency, err := time.ParseDuration(words[1] + words[2])
				found = err == nil && latency == p.latency && strings.Contains(line, packet)
			}
		}
		if !found {
			t.Errorf("%s, %v in packets of %v, is not what the help says", p.name, p.latency, p.packet)
		}
	}
}

func TestPacketTimes(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		flags    sendFlags
		channels int
		latency  time.Duration
		want     time.Duration
	}{
		{sendFlags{codec: "pcm16"}, 2, 100 * ms, 5 * ms},
		{sendFlags{codec: "pcm16"}, 2, time.Second, 5 * ms}, // 10 ms would be 1,920 bytes
		{sendFlags{codec: "pcm16"}, 1, time.Second, 10 * ms},
		{sendFlags{codec: "pcm24"}, 2, 100 * ms, 2500 * time.Microsecond},
		{sendFlags{codec: "pcm24"}, 8, 100 * ms, ms},
		{sendFlags{codec: "pcm16"}, 2, 5 * ms, ms},
		{sendFlags{codec: "pcm16"}, 2, 3 * ms, ms},
		{sendFlags{codec: "opus", bitrate: 128}, 2, 300 * ms, 10 * ms},
		{sendFlags{codec: "opus", bitrate: 320}, 2, time.Second, 20 * ms},
		{sendFlags{codec: "opus", bitrate: 128}, 2, 5 * ms, 2500 * time.Microsecond},
		{sendFlags{codec: "flac", bits: 16}, 2, 20 * ms, 5 * ms},
		{sendFlags{codec: "pcm16", packet: "20ms"}, 2, 100 * ms, 20 * ms},
		{sendFlags{codec: "opus", bitrate: 64, packet: "2.5ms"}, 1, 100 * ms, 2500 * time.Microsecond},
	} {
		p, err := c.flags.params(c.channels, c.latency)
		if got := time.Duration(p.Frames) * time.Second / codec.Rate; err != nil || got != c.want {
			t.Errorf("%+v, %d channels, %v: %v, %v, want %v", c.flags, c.channels, c.latency, got, err, c.want)
		}
	}
	if _, err := (sendFlags{codec: "opus", bitrate: 128}).params(6, 100*ms); err == nil || !strings.Contains(err.Error(), "--channels 2") {
		t.Errorf("six channels of opus: %v", err)
	}
}

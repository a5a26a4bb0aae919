package main

import (
	"net/netip"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/agent/control"
)

// outage is what happened to the sound in a span: how long it was away
// altogether, and when it was there for good.
type outage struct {
	silent time.Duration
	back   int64 // CLOCK_MONOTONIC
}

// outage looks for stretches of silence longer than 20 ms.
func (s *stage) outage(r *room, during span) (o outage) {
	s.Helper()
	recording, err := loadRecording(r.recording())
	s.must(err)
	first, last := frameAt(recording, during.from), frameAt(recording, during.to)
	o.back = during.from
	quiet := 0
	end := func(at int) {
		if quiet > 960 {
			o.silent += time.Duration(quiet) * time.Second / 48000
			o.back = during.from + int64(at-first)*int64(time.Second)/48000
		}
		quiet = 0
	}
	for i, x := range recording.Samples[first:last] {
		if x > -0.01 && x < 0.01 {
			quiet++
			continue
		}
		end(first + i)
	}
	end(last)
	return o
}

// A speaker and a source start without a network, and play once there is one; they
// play on after the link of either was down, or unplugged, and with another
// address.
func TestLinks(t *testing.T) {
	t.Parallel()
	hall := &room{name: "Hall"}
	s := newStage(t, []*room{hall})
	hall.address = "127.0.0.1:8400" // inside the host: it answers without a link
	playing := func(st control.Status) bool {
		return st.State == "playing" && st.Timing.Reported && st.Timing.SinceAlignedS > 0.3
	}
	s.must(hall.link.Down())
	s.must(s.source.link.Down())
	s.play()
	s.send("--channel", "house", "--latency", "300ms", "tone:1000:-6")
	s.until(hall.machine, "searching", func(st control.Status) bool { return st.State == "searching" && st.Reason != "" })
	s.must(s.source.link.Up())
	s.must(hall.link.Up())
	t.Logf("no network at start: playing %v after the links came up", s.until(hall.machine, "playing", playing))
	s.says(s.source, "sending from this host's new address", "10.77.0.1")

	type event struct {
		name   string
		begin  func() error
		away   time.Duration
		finish func() error
	}
	nothing := func() error { return nil }
	var spans []span
	events := []event{
		{"link down and up", hall.link.Down, 1300 * time.Millisecond, hall.link.Up},
		{"cable out and in", hall.link.Unplug, 1300 * time.Millisecond, hall.link.Plug},
		{"another address", func() error { return hall.link.ChangeAddr(netip.MustParsePrefix("10.77.0.99/24")) }, 0, nothing},
		{"source: cable out and in", s.source.link.Unplug, 1300 * time.Millisecond, s.source.link.Plug},
		{"source: link down and up", s.source.link.Down, 1300 * time.Millisecond, s.source.link.Up},
		{"source: another address", func() error { return s.source.link.ChangeAddr(netip.MustParsePrefix("10.77.0.98/24")) }, 0, nothing},
	}
	for _, e := range events {
		s.must(e.begin())
		time.Sleep(e.away)
		s.must(e.finish())
		from := monotonic()
		time.Sleep(1200 * time.Millisecond) // for what a break does to show
		s.until(hall.machine, "playing after "+e.name, playing)
		time.Sleep(600 * time.Millisecond)
		spans = append(spans, span{from, monotonic()})
	}
	s.says(hall.machine, "the stream has ended", "way to the sender has changed")
	s.says(s.source, "sending from this host's new address", "10.77.0.98")
	hall.stop()
	for i, e := range events {
		o := s.outage(hall, spans[i])
		t.Logf("%s: silent for %v, sound back for good after %v", e.name, o.silent, time.Duration(o.back-spans[i].from))
		if o.back > spans[i].to-int64(300*time.Millisecond) {
			t.Errorf("%s: no sound in the end", e.name)
		}
	}
}

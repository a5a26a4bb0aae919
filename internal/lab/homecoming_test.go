package main

import (
	"net/netip"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/agent/control"
)

// A source that played for the house from elsewhere comes home with the music on: the
// rooms hear it by the network, all in the source's own time, and nobody is the gateway
// any more. When it leaves again, one is.
func TestSourceComesHome(t *testing.T) {
	h := newHousehold(t, "--latency", "300ms", "tune")
	rooms := h.outside.rooms
	source := h.outside.source
	at := netip.PrefixFrom(h.home.inside(50), 24)
	near, err := source.host.Connect(h.home.sw, at)
	h.must(err)
	h.must(near.Down())
	h.agreed(rooms...)
	time.Sleep(2 * time.Second)

	h.must(source.link.Down())
	h.must(near.Up())
	h.must(source.host.Through(h.home.inside(1)))
	for _, r := range rooms {
		took := h.until(r.machine, "hearing the source itself", func(s control.Status) bool {
			return s.State == "playing" && s.Path != nil && s.Path.Mode == "lan" && s.Path.Part == "" && s.Timing.SinceAlignedS > 0.5
		})
		t.Logf("%s hears the source itself after %v more", r.name, took.Round(time.Millisecond))
	}
	time.Sleep(time.Second)
	here := span{from: monotonic()}
	stood := standstill(func() { time.Sleep(5 * time.Second) })
	here.to = monotonic()

	h.must(near.Down())
	h.must(source.link.Up())
	h.must(source.host.Through(netip.MustParseAddr("10.80.1.1")))
	h.says(source, "this host's way to the relay has changed") // it does not wait for answers that come to where it was
	h.agreed(rooms...)
	for _, r := range rooms {
		r.stop()
	}
	if stood < mostStandstill {
		h.apart(rooms[0], rooms[1], here, "with the source at home")
		h.apart(rooms[1], rooms[2], here, "with the source at home")
	}
}

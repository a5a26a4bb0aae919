package main

import (
	"math"
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
	h.inTime(source, len(rooms))
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

// inTime waits until all rooms are in the source's time, by what it makes of their
// reports: where the sound did not break off on the way, they are led there.
func (h *household) inTime(source *machine, rooms int) {
	h.Helper()
	const within, longest = 200, 3 * patience // µs, what apart allows; 20 ms are led over in 40 s
	var late []float64
	for began := time.Now(); time.Since(began) < longest; time.Sleep(100 * time.Millisecond) {
		all, _ := source.listeners()
		late = nil
		good := 0
		for _, l := range all {
			late = append(late, l.DeviationUS)
			if l.HasReport && math.Abs(l.DeviationUS) < within {
				good++
			}
		}
		if good == rooms {
			h.Logf("all in time after %v", time.Since(began).Round(time.Millisecond))
			return
		}
	}
	h.Fatalf("after %v the rooms are late by %.1f µs", longest, late)
}

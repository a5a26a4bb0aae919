package control

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	runtimemetrics "runtime/metrics"
	"strings"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// gauges is /metrics: one set for each server.
type gauges struct {
	server   *Server
	set      *metrics.Set
	help     map[string]measure
	requests *metrics.Counter

	mu   sync.Mutex // one scrape at a time
	seen Status     // that the scrape reports
}

// measure is one metric of the speaker.
type measure struct {
	name, kind, help string
	value            func(*Status) float64 // nil: kept by the set
}

func newGauges(s *Server) *gauges {
	g := &gauges{server: s, set: metrics.NewSet(), help: map[string]measure{}}
	g.requests = g.set.NewCounter("tutti_http_requests_total")
	all := append(speakerMeasures(), packetMeasures()...)
	all = append(all, measure{"tutti_http_requests_total", "counter", "HTTP requests, whatever became of them", nil},
		measure{"tutti_http_wrong_keys_total", "counter", "wrong household keys", func(*Status) float64 { return float64(s.guard.refusals()) }},
		measure{"tutti_event_clients", "gauge", "clients that follow the events", func(*Status) float64 { return float64(s.events.count()) }},
		measure{"tutti_sources", "gauge", "sources on the network", func(*Status) float64 { return float64(len(s.config.Speaker.Sources())) }},
		measure{"tutti_heap_objects_total", "counter", "heap objects made since the start; in steady state no packet makes one", func(*Status) float64 { return heapObjects() }},
		measure{"tutti_speakers", "gauge", "speakers on the network, this one included", func(*Status) float64 { return float64(len(s.config.Speaker.Speakers())) }},
	)
	for _, m := range all {
		g.help[m.name] = m
		if m.value != nil {
			g.set.NewGauge(m.name, func() float64 { return m.value(&g.seen) })
		}
	}
	return g
}

// serve is GET /metrics.
func (g *gauges) serve(w http.ResponseWriter, _ *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seen = g.server.config.Speaker.Status()
	var plain, out bytes.Buffer
	g.set.WritePrometheus(&plain)
	for line := range strings.Lines(plain.String()) {
		name, _, _ := strings.Cut(line, " ")
		m := g.help[name]
		fmt.Fprintf(&out, "# HELP %s %s\n# TYPE %s %s\n%s", name, m.help, name, m.kind, line)
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(out.Bytes())
}

// heapObjects is how many objects the process has made on the heap.
func heapObjects() float64 {
	sample := []runtimemetrics.Sample{{Name: "/gc/heap/allocs:objects"}}
	runtimemetrics.Read(sample)
	return float64(sample[0].Value.Uint64())
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// reported is a value of Timing, in seconds, or NaN while that means nothing.
func reported(perSecond float64, f func(*Timing) float64) func(*Status) float64 {
	return func(s *Status) float64 {
		if !s.Timing.Reported {
			return math.NaN()
		}
		return f(&s.Timing) / perSecond
	}
}

func speakerMeasures() []measure {
	const us, ms = 1e6, 1e3 // of a second: dividing rounds better
	return []measure{
		{"tutti_uptime_seconds", "gauge", "time since the speaker was started", func(s *Status) float64 { return time.Since(s.Since).Seconds() }},
		{"tutti_playing", "gauge", "1 while the speaker plays", func(s *Status) float64 { return truth(s.State == "playing") }},
		{"tutti_volume_percent", "gauge", "volume, 0 to 100", func(s *Status) float64 { return float64(s.Volume) }},
		{"tutti_muted", "gauge", "1 while the speaker is muted", func(s *Status) float64 { return truth(s.Muted) }},
		{"tutti_trim_seconds", "gauge", "by which the speaker plays later on purpose", func(s *Status) float64 { return s.TrimMS / ms }},
		{"tutti_temperature_celsius", "gauge", "of the processor; NaN when the board does not tell", func(s *Status) float64 {
			if s.Hardware.TemperatureC == 0 {
				return math.NaN()
			}
			return s.Hardware.TemperatureC
		}},
		{"tutti_throttled", "gauge", "1 when the processor is slowed down because of heat or power", func(s *Status) float64 { return truth(s.Hardware.Throttled) }},
		{"tutti_under_voltage", "gauge", "1 when the power supply is too weak", func(s *Status) float64 { return truth(s.Hardware.UnderVoltage) }},
		{"tutti_realtime", "gauge", "1 when the audio thread has real-time scheduling", func(s *Status) float64 { return truth(s.Realtime) }},
		{"tutti_unicast", "gauge", "1 while the stream comes as a copy of our own, not by multicast", func(s *Status) float64 { return truth(s.Stream != nil && s.Stream.Unicast) }},
		{"tutti_output_open", "gauge", "1 while the output is there", func(s *Status) float64 { return truth(s.Output.Open) }},
		{"tutti_output_rate_hertz", "gauge", "frames per second of the output", func(s *Status) float64 { return float64(s.Output.Rate) }},
		{"tutti_output_underruns_total", "counter", "times the output ran dry", func(s *Status) float64 { return float64(s.Output.Xruns) }},
		{"tutti_output_opened_total", "counter", "times the output was opened; more than once: it vanished and came back", func(s *Status) float64 { return float64(s.Output.Opened) }},
		{"tutti_output_queued_seconds", "gauge", "audio waiting in the output", func(s *Status) float64 { return s.Timing.QueuedMS / ms }},
		{"tutti_offset_seconds", "gauge", "what plays now minus when it was due; above 0: late", reported(us, func(t *Timing) float64 { return t.OffsetUS })},
		{"tutti_offset_bound_seconds", "gauge", "by which the offset can be wrong", reported(us, func(t *Timing) float64 { return t.BoundUS })},
		{"tutti_resampling_ppm", "gauge", "resampling, parts per million", reported(1, func(t *Timing) float64 { return t.PPM })},
		{"tutti_card_ppm", "gauge", "the sound card's crystal against this host's clock, parts per million", reported(1, func(t *Timing) float64 { return t.CardPPM })},
		{"tutti_host_ppm", "gauge", "the house clock against this host's, parts per million", reported(1, func(t *Timing) float64 { return t.HostPPM })},
		{"tutti_clock_round_trip_seconds", "gauge", "least round trip to the source", reported(us, func(t *Timing) float64 { return t.RoundTripUS })},
		{"tutti_clock_deviation_seconds", "gauge", "standard deviation of house time", reported(us, func(t *Timing) float64 { return t.ClockSigmaUS })},
		{"tutti_clock_holdover_seconds", "gauge", "time since the last time exchange", reported(1, func(t *Timing) float64 { return t.HoldoverS })},
		{"tutti_wake_late_seconds", "gauge", "how late the audio thread woke, at worst lately", func(s *Status) float64 { return s.Timing.WorstWakeLate / us }},
		{"tutti_margin_seconds", "gauge", "how long before its instant the last packet came", reported(ms, func(t *Timing) float64 { return t.MarginMS })},
		{"tutti_buffered_seconds", "gauge", "packets and decoded audio at hand", reported(ms, func(t *Timing) float64 { return t.BufferedMS })},
		{"tutti_discontinuities_total", "counter", "jumps of playout", func(s *Status) float64 { return float64(s.Timing.Jumps) }},
	}
}

func packetMeasures() []measure {
	count := func(name, help string, f func(*Packets) uint64) measure {
		return measure{"tutti_" + name + "_total", "counter", help, func(s *Status) float64 { return float64(f(&s.Packets)) }}
	}
	return []measure{
		count("packets_received", "packets that were stored for playing", func(p *Packets) uint64 { return p.Received }),
		count("packets_lost", "packets that never came in time", func(p *Packets) uint64 { return p.Lost }),
		count("packets_late", "packets that came after their instant", func(p *Packets) uint64 { return p.Late }),
		count("packets_duplicate", "packets that came twice", func(p *Packets) uint64 { return p.Duplicate }),
		count("packets_early", "packets absurdly far ahead", func(p *Packets) uint64 { return p.Early }),
		count("packets_damaged", "packets with a wrong checksum or form", func(p *Packets) uint64 { return p.Damaged }),
		count("packets_foreign", "packets from another sender's address", func(p *Packets) uint64 { return p.Foreign }),
		count("packets_other_stream", "packets of another stream on the same group", func(p *Packets) uint64 { return p.OtherStream }),
		count("packets_unknown_type", "packets of an unknown payload type", func(p *Packets) uint64 { return p.UnknownType }),
		count("packets_undecodable", "packets that the decoder refused", func(p *Packets) uint64 { return p.Undecodable }),
		count("packets_dropped", "packets for which the audio thread was too slow", func(p *Packets) uint64 { return p.Dropped }),
		count("concealed_frames", "frames made up in place of lost packets", func(p *Packets) uint64 { return p.Concealed }),
	}
}

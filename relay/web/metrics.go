package web

import (
	"fmt"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// counts is what the server has seen.
type counts struct {
	Sockets atomic.Int64  // open now
	Slow    atomic.Uint64 // packets that slow clients lost
	Refused atomic.Uint64 // connections beyond the limit
}

// getMetrics is /metrics, in the text format of Prometheus.
func (s *Server) getMetrics(w http.ResponseWriter, r *http.Request) {
	if !s.settings.Load().OpenMetrics && !local(r) {
		fail(w, http.StatusForbidden, "metrics are for this host alone: set metrics to an address of their own")
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	set := metrics.NewSet()
	var head strings.Builder
	gauge := func(name, help string, value float64) {
		set.NewGauge("tutti_relay_"+name, func() float64 { return value })
		fmt.Fprintf(&head, "# HELP tutti_relay_%s %s\n# TYPE tutti_relay_%s %s\n", name, help, name, kind(name))
	}
	counts := &s.counts
	if s.config.Other != nil {
		counts = &s.config.Other.counts
	}
	channels, members := s.config.Hub.Size()
	gauge("channels", "channels that have members", float64(channels))
	gauge("members", "members of all channels", float64(members))
	gauge("websockets", "WebSocket and TCP connections", float64(counts.Sockets.Load()))
	gauge("slow_dropped_total", "packets that slow WebSocket clients lost", float64(counts.Slow.Load()))
	gauge("sockets_refused_total", "WebSocket and TCP connections beyond the limit", float64(counts.Refused.Load()))
	gauge("goroutines", "goroutines", float64(runtime.NumGoroutine()))
	if until := s.config.Until; until != nil && !until().IsZero() {
		gauge("certificate_seconds", "seconds until the certificate is over", time.Until(until()).Seconds())
	}
	if dtls := s.config.Hub.Sealed(); dtls != nil {
		gauge("dtls_associations", "DTLS associations", float64(dtls.Open.Load()))
		gauge("dtls_handshakes_total", "DTLS handshakes that were done", float64(dtls.Handshakes.Load()))
		gauge("dtls_failed_total", "DTLS handshakes that came to nothing", float64(dtls.Failed.Load()))
		gauge("dtls_refused_total", "DTLS handshakes for which there was no place", float64(dtls.Refused.Load()))
	}
	for _, c := range s.config.Hub.Counts() {
		gauge(c.Name, c.Help, float64(c.Value))
	}
	_, _ = w.Write([]byte(head.String()))
	set.WritePrometheus(w)
	metrics.WriteProcessMetrics(w)
}

func kind(name string) string {
	if strings.HasSuffix(name, "_total") {
		return "counter"
	}
	return "gauge"
}

// local reports whether a request comes from this host, and not through a proxy.
func local(r *http.Request) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && from.Addr().Unmap().IsLoopback() && r.Header.Get("X-Forwarded-For") == "" && r.Header.Get("Forwarded") == ""
}

package lan

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"time"

	"github.com/tutti-audio/tutti/ostp/describe"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// Paths that a sender serves.
const (
	pathStream    = "/v1/stream.sdp"
	pathSubscribe = "/v1/subscribe"
	pathListeners = "/v1/listeners"
	pathArtwork   = "/v1/artwork"
)

// Subscription asks for a copy of the stream: to the port of the speaker whose
// TCP connection carries it, which proves the address.
type Subscription struct {
	Port uint16 `json:"port"` // where the speaker receives
	SSRC uint32 `json:"ssrc"` // whose reports renew the lease
}

// Handler serves the description, subscriptions, artwork and the speakers'
// reports.
func (o *outlet) Handler() http.Handler { return o.handler() }

func (o *outlet) handler() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+pathStream, func(w http.ResponseWriter, _ *http.Request) {
		d := o.Stream()
		b, err := describe.AppendSDP(nil, &d)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/sdp")
		_, _ = w.Write(b)
	})
	mux.HandleFunc("POST "+pathSubscribe, o.serveSubscribe)
	mux.HandleFunc("GET "+pathListeners, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(o.Listeners())
	})
	mux.HandleFunc("GET "+pathArtwork, func(w http.ResponseWriter, r *http.Request) {
		t := o.tags.Load()
		if len(t.Picture) == 0 {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", t.PictureType)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(t.Picture)
	})
	return mux
}

func (o *outlet) serveSubscribe(w http.ResponseWriter, r *http.Request) {
	var sub Subscription
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1024)).Decode(&sub); err != nil || sub.Port < 1024 {
		http.Error(w, `send {"port": 1024 to 65535, "ssrc": …}`, http.StatusBadRequest)
		return
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	to := netip.AddrPortFrom(peer.Addr().Unmap(), sub.Port)
	fresh, err := o.receivers.subscribe(to, sub.SSRC, time.Now())
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	if fresh {
		o.log.Info("sending a copy to a speaker that multicast does not reach", "to", to)
	}
	w.WriteHeader(http.StatusNoContent)
}

// Listener is one speaker's report as JSON shows it.
type Listener struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Address     string    `json:"address"`
	Playing     bool      `json:"playing"`
	Muted       bool      `json:"muted"`
	Unicast     bool      `json:"unicast"`
	Volume      int       `json:"volume"`
	HasReport   bool      `json:"has_report"`
	DeviationUS float64   `json:"deviation_us"` // presented minus due
	OwnLateUS   float64   `json:"late_us"`      // the same by the speaker's own reckoning
	BoundUS     float64   `json:"bound_us"`     // by which deviation_us can be wrong
	PPM         float64   `json:"ppm"`
	LatencyMS   float64   `json:"latency_ms"`
	TrimUS      float64   `json:"trim_us"`
	LossPercent float64   `json:"loss_percent"`
	Lost        uint32    `json:"lost"`
	Concealed   uint32    `json:"concealed_frames"`
	MarginMS    float64   `json:"margin_ms"`
	Seen        time.Time `json:"seen"`
}

// Listeners returns what the speakers last reported. The deviation is computed
// here, from when by the house's clock each says it presented which RTP instant: a
// speaker that is wrong about what was due cannot hide it.
func (o *outlet) Listeners() []Listener {
	list := o.receivers.list()
	all := make([]Listener, 0, len(list))
	for _, l := range list {
		h := l.Health
		a := Listener{
			ID: l.ID, Name: l.Name, Address: l.From.Addr().Unmap().String(), Playing: h.Playing, Muted: h.Muted, Unicast: h.Unicast,
			Volume: int(h.Volume), OwnLateUS: micros(h.Late), BoundUS: micros(h.Bound), HasReport: l.PresentedAt != 0,
			PPM: h.PPM, LatencyMS: micros(h.Latency) / 1000, TrimUS: micros(h.Trim),
			LossPercent: float64(l.FractionLost) * 100 / 256, Lost: h.LostPackets, Concealed: h.ConcealedFrames,
			MarginMS: micros(h.Margin) / 1000, Seen: l.Seen,
		}
		if a.HasReport {
			a.DeviationUS = micros(o.deviation(l))
		}
		all = append(all, a)
	}
	return all
}

// deviation is by how much a speaker presented an RTP instant after it was due.
func (o *outlet) deviation(l reporter) time.Duration {
	presented := o.leg(l.PresentedAt).At(l.PresentedAt)
	near := int64(o.stream.MediaAt(presented))
	media := near + int64(int32(uint32(l.PresentedRTP)-o.stream.Offset-uint32(near)))
	due := o.stream.HouseAt(timebase.Media(media)).Add(o.stream.Latency + l.Health.Trim)
	return presented.Sub(due)
}

func micros(d time.Duration) float64 { return float64(d) / 1e3 }

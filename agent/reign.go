package agent

import (
	"time"

	"github.com/tutti-audio/tutti/agent/mode"
	"github.com/tutti-audio/tutti/agent/session/lan"
	"github.com/tutti-audio/tutti/agent/session/merge"
	"github.com/tutti-audio/tutti/agent/session/remote"
	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/control"
	"github.com/tutti-audio/tutti/ostp/describe"
	"github.com/tutti-audio/tutti/sync/offset"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// reign looks after what a gateway does, until nobody needs it.
func (h *household) reign(l *listening, now timebase.Local) {
	g := h.active.Load()
	if r := l.outside(); r != nil {
		if idle, playing, _ := r.Way(); playing && idle < nothingFor {
			h.heard = now
		}
		h.keepReserve(r, now)
		tags := r.Stream().Tags
		if tags.Artwork = false; tags != g.Stream().Tags { // pictures do not come from outside
			g.SetTags(lan.Tags{Tags: tags})
		}
	}
	other := l.lead == mode.LAN && l.ways[mode.LAN].session != h.former
	switch {
	case other && !h.leaving:
		h.speaker.log.Info("another is heard on the network: this speaker is the gateway no more")
		h.leave()
	case other && !l.anyOutside(), now.Sub(h.heard) > nothingFor:
		h.close(false)
	}
}

// leave tells the speakers that listen, and that nobody stands by: there is another
// gateway, or the source itself.
func (h *household) leave() {
	h.leaving = true
	if h.service != nil {
		_ = h.service.Close()
		h.service = nil
	}
	h.active.Load().Leave(false)
}

// anyOutside reports whether a way from outside is open.
func (l *listening) anyOutside() bool {
	for m := range l.ways {
		if mode.Mode(m) != mode.LAN && l.ways[m].cancel != nil {
			return true
		}
	}
	return false
}

// keepReserve moves playout back, unheard, until a stand-by would have the time it
// takes, and forth again when nobody stands by.
func (h *household) keepReserve(r *remote.Receiver, now timebase.Local) {
	want := time.Duration(0)
	if h.active.Load().StandBy().Addr.IsValid() {
		q := r.Quality()
		want = max(0, takeOver+queued+2*q.RoundTrip-q.Buffer)
	}
	is := time.Duration(h.reserve.Load())
	step := time.Duration(float64(now.Sub(h.last)) * reserveRate)
	h.reserve.Store(int64(is + min(max(want-is, -step), step)))
}

// houseSink is the player of a speaker that may be the gateway: then it plays by the
// house's clock, as the others do.
type houseSink struct {
	namedSink
	house *household
}

// SetClock implements merge.Sink.
func (s houseSink) SetClock(e offset.Estimate) {
	if g := s.house.active.Load(); g != nil {
		e = g.Lead(e.Moved(-time.Duration(s.house.reserve.Load())))
	}
	s.namedSink.SetClock(e)
}

// Report implements merge.Sink.
func (s houseSink) Report(r *control.Receiver, stream *describe.Stream) {
	s.namedSink.Report(r, stream)
	if g := s.house.active.Load(); g != nil {
		g.Report(*r)
	}
}

// housePath is a path from outside: a gateway passes on what comes by it.
type housePath struct {
	*merge.Path
	house *household
}

// Queue implements remote.Path.
func (p housePath) Queue(packet *ostp.Packet, arrived timebase.Local) {
	if g := p.house.active.Load(); g != nil {
		g.Forward(packet)
	}
	p.Path.Queue(packet, arrived)
}

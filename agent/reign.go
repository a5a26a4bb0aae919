package agent

import (
	"time"

	"github.com/tutti-audio/tutti/agent/mode"
	"github.com/tutti-audio/tutti/agent/session/lan"
	"github.com/tutti-audio/tutti/agent/session/merge"
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
		tags := r.Stream().Tags
		if tags.Artwork = false; tags != g.Stream().Tags { // pictures do not come from outside
			g.SetTags(lan.Tags{Tags: tags})
		}
	}
	if now.Sub(h.told) > tellEvery && h.service != nil && h.speaker.nearby.outranked(h.own(g)) { // who was cut off does not know yet
		h.told = now
		_ = h.service.Update(h.text(g))
	}
	other := l.lead == mode.LAN && l.ways[mode.LAN].session != h.former
	switch {
	case other && !h.leaves.Load():
		h.speaker.log.Info("another is heard on the network: this speaker is the gateway no more")
		h.leave()
	case other && !l.anyOutside(), now.Sub(h.heard) > nothingFor:
		h.close(false)
	}
}

// leave tells the speakers that listen, and that nobody stands by: there is another
// gateway, or the source itself.
func (h *household) leave() {
	h.leaves.Store(true)
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

// hold is for how long a stream from outside is to wait at least, besides two round
// trips: as long as a stand-by takes to take over, where there are speakers that could.
func (h *household) hold() time.Duration {
	if h.mates.Load() {
		return queued + takeOverIn
	}
	return 0
}

// look looks whether there are such speakers. After a start they are not found yet, but
// whether there were any is remembered.
func (h *household) look() {
	if h.fitness > 0 {
		h.mates.Store(h.speaker.housemates(h.speaker.nearby.others(h.self())))
	}
}

// housemates remembers that other speakers of the house were found, and reports whether
// there are any.
func (s *Speaker) housemates(found bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !found && s.state.Housemates && time.Since(s.since) < remembered {
		return true
	}
	if s.state.Housemates != found {
		s.state.Housemates = found
		s.save()
	}
	return found
}

// houseSink is the player of a speaker that may be the gateway: then it plays by the
// house's clock, as the others do, and afterwards is led back to what its ways tell.
type houseSink struct {
	namedSink
	house  *household
	young  func(timebase.Local) bool // whether what plays has only just begun
	played offset.Follower
	back   bool // it is being led back
}

// SetClock implements merge.Sink.
func (s *houseSink) SetClock(e offset.Estimate) {
	now := s.speaker.clock.Now()
	if g := s.house.active.Load(); g != nil && !s.house.leaves.Load() {
		e = g.Lead(e)
		s.played.Set(e)
		s.back = true
		s.namedSink.SetClock(e)
		return
	}
	pace := offset.Swiftly
	if s.young(now) {
		pace = offset.AtOnce
	}
	s.back = s.back && s.played.Wrong(e, now) > offset.Arrived
	if s.back {
		e = s.played.Follow(e, now, pace)
	}
	s.namedSink.SetClock(e)
}

// Report implements merge.Sink.
func (s *houseSink) Report(r *control.Receiver, stream *describe.Stream) timebase.Local {
	presented := s.namedSink.Report(r, stream)
	if g := s.house.active.Load(); g != nil {
		g.Report(*r, presented)
	}
	return presented
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

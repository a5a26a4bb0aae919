package agent

import (
	"cmp"
	"context"
	"time"

	"github.com/tutti-audio/tutti/agent/config"
	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/agent/player"
	"github.com/tutti-audio/tutti/agent/session/lan"
	"github.com/tutti-audio/tutti/agent/session/remote"
	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/sync/playout"
)

// SetName implements control.Speaker.
func (s *Speaker) SetName(name string) error {
	if err := config.CheckName(name); err != nil {
		return err
	}
	s.mu.Lock()
	if s.wants.room == s.wants.name {
		s.wants.room = name
	}
	s.wants.name, s.state.Name, s.shown = name, name, name
	s.save()
	s.mu.Unlock()
	return s.announceAs(true)
}

// Join implements control.Speaker.
func (s *Speaker) Join(channel string) error {
	if channel != "" {
		if err := ostp.CheckChannel(channel); err != nil {
			return err
		}
	}
	s.mu.Lock()
	s.wants.channel, s.state.Channel = channel, &channel
	s.save()
	s.mu.Unlock()
	s.poke()
	return s.announceAs(false)
}

// Sources implements control.Speaker.
func (s *Speaker) Sources() []control.Source { return s.nearby.listSources() }

// Speakers implements control.Speaker.
func (s *Speaker) Speakers() []control.Peer { return s.nearby.listSpeakers() }

// Status implements control.Speaker.
func (s *Speaker) Status() control.Status {
	p := s.player.Status()
	s.mu.Lock()
	defer s.mu.Unlock()
	st := control.Status{
		ID: s.state.ID, Name: s.shown, Room: s.wants.room, Version: s.version, Since: s.since.UTC(),
		State: s.phase.state, Reason: s.phase.reason, Problem: s.phase.problem, Channel: s.wants.channel,
		Volume: s.wants.volume, Muted: s.wants.muted, TrimMS: float64(s.wants.trim.Microseconds()) / 1000, Map: s.wants.mapping.String(),
		Realtime: p.RealTime, Hardware: s.board.status(),
		Output: control.Output{Name: p.Output.Name, Open: p.Open, Rate: p.Output.Rate, Xruns: p.Xruns, Opened: p.Opened},
	}
	if !p.Open {
		st.State, st.Reason, st.Problem = "no-output", "the output is not there", p.Problem
	} else if s.session != nil && !p.Playing {
		st.State, st.Reason = "joining", "waiting for the first packets"
		if r, ok := s.session.(*remote.Receiver); ok && r.Silence() != "" {
			st.State, st.Reason, st.Problem = "waiting", "the stream has stopped coming", r.Silence()
		}
	}
	if st.Problem == "" {
		st.Problem = cmp.Or(p.Output.Problem, s.saveFail, s.board.problem)
	}
	s.fillPackets(&st, p)
	s.fillTiming(&st, p)
	s.fillPath(&st)
	if s.session != nil {
		st.Stream = s.stream()
	}
	return st
}

func (s *Speaker) fillPackets(st *control.Status, p player.Status) {
	e := p.Engine
	st.Packets = control.Packets{
		Received: e.Packets[playout.Stored], Lost: e.Lost, Late: e.Packets[playout.Late], Duplicate: e.Packets[playout.Duplicate],
		Early: e.Packets[playout.Early] + e.Packets[playout.Full], Undecodable: e.Damaged, Concealed: e.Concealed, Dropped: p.Dropped,
	}
	switch r := s.session.(type) {
	case *lan.Receiver:
		c := r.Counters()
		st.Packets.Damaged, st.Packets.Foreign, st.Packets.OtherStream, st.Packets.UnknownType = c.Damaged, c.Foreign, c.OtherStream, c.UnknownType
		st.Packets.Early += c.Implausible
	case *remote.Receiver:
		c := r.Counters()
		st.Packets.Damaged, st.Packets.OtherStream, st.Packets.UnknownType = c.Damaged, c.OtherStream, c.UnknownType
	}
}

// fillPath says by which way the stream comes. Callers hold mu.
func (s *Speaker) fillPath(st *control.Status) {
	if s.session == nil {
		return
	}
	st.Path = &control.Path{Mode: s.mode.String(), Reason: s.why, Better: s.noBetter()}
	st.Path.Address, _ = s.sourceAddress()
	_, _, loss := s.session.Way()
	st.Path.LossPercent = 100 * loss
	s.fillHouse(st.Path)
	if r, ok := s.session.(*remote.Receiver); ok {
		q, c := r.Quality(), r.Counters()
		st.Path.RoundTripMS, st.Path.JitterMS, st.Path.BufferMS = micros(q.RoundTrip)/1000, micros(q.Jitter)/1000, micros(q.Buffer)/1000
		st.Path.LossPercent, st.Path.KbitPerS = 100*q.Loss, 8*q.Rate/1000
		st.Path.NAT, st.Path.SeenAs = s.network.kind()
		st.Path.Asked, st.Path.Repaired, st.Path.Recovered, st.Path.Parity = c.Asked, c.Repaired, c.Recovered, c.Parity
	}
}

// fillHouse says which part this speaker has in a house that hears a stream from
// outside. Callers hold mu.
func (s *Speaker) fillHouse(p *control.Path) {
	h := s.house.Load()
	if h == nil {
		return
	}
	if g := h.active.Load(); g != nil {
		if !g.Heard() { // there is no house, but this speaker alone
			return
		}
		p.Part, p.PassedOn, p.Listeners = "gateway", g.Packets(), len(g.Listeners())
		if a := g.StandBy().Addr; a.IsValid() {
			p.StandBy = a.String()
		}
		return
	}
	r, ok := s.session.(*lan.Receiver)
	if !ok {
		return
	}
	standBy, viaGateway := r.Gateway()
	switch {
	case !viaGateway:
		return
	case h.standing.Load():
		p.Part = "stand-by"
	default:
		p.Part = "listener"
	}
	if standBy.IsValid() {
		p.StandBy = standBy.String()
	}
}

// sourceAddress is where what is heard on the network is described; ok is false when
// nothing is. Callers hold mu.
func (s *Speaker) sourceAddress() (address string, ok bool) {
	r, ok := s.session.(*lan.Receiver)
	if !ok {
		return s.address, false
	}
	return r.Source(), true
}

func (s *Speaker) fillTiming(st *control.Status, p player.Status) {
	t := &st.Timing
	t.Reported = p.Reported && p.Playing
	t.PPM, t.CardPPM, t.Jumps = p.PPM, p.CardPPM, p.Engine.Jumps
	t.OffsetUS, t.BoundUS = micros(p.Presented.Late), micros(p.Presented.Bound)
	t.PresentedMedia, t.PresentedHouse = p.Presented.Media, int64(p.Presented.House)
	t.PresentedLocal = s.clock.Monotonic(p.Presented.Local)
	t.SinceAlignedS = s.sinceAligned(p).Seconds()
	t.MarginMS, t.BufferedMS, t.QueuedMS = micros(p.Engine.Margin)/1000, micros(p.Engine.Buffered)/1000, micros(p.Fill)/1000
	t.WorstWakeLate = micros(p.WakeLate)
	if s.session == nil {
		return
	}
	if r, ok := s.session.(*lan.Receiver); ok && t.Reported { // playout may be on its way to the network's time
		t.OffsetUS += micros(r.Late(p.Presented.Local, p.Presented.House))
	}
	e := s.session.Clock()
	now := s.clock.Now()
	t.HostPPM, t.RoundTripUS, t.ClockSamples = e.Drift*1e6, micros(e.RoundTrip), e.Samples
	t.ClockSigmaUS = micros(e.Sigma(now))
	t.HoldoverS = now.Sub(e.At).Seconds()
}

// sinceAligned is how long playout has run without a discontinuity, seen once a
// second. Callers hold mu.
func (s *Speaker) sinceAligned(p player.Status) time.Duration {
	now := time.Now()
	if !p.Playing {
		s.aligned = time.Time{}
		return 0
	}
	if s.aligned.IsZero() || s.jumps != p.Engine.Jumps {
		s.aligned, s.jumps = now, p.Engine.Jumps
	}
	return now.Sub(s.aligned)
}

// stream describes what plays. Callers hold mu.
func (s *Speaker) stream() *control.Stream {
	d := s.session.Stream()
	address, _ := s.sourceAddress()
	return &control.Stream{
		Channel: d.Channel, Source: d.Name, Address: address, Codec: d.Codec.String(), Channels: d.Channels,
		PacketMS: float64(d.Frames) / 48, LatencyMS: micros(d.Latency) / 1000, Unicast: s.unicast(), Group: d.Group.String(),
		Title: d.Tags.Title, Artist: d.Tags.Artist, Album: d.Tags.Album, Artwork: d.Tags.Artwork,
	}
}

// unicast reports whether a LAN source sends this speaker a copy of its own.
func (s *Speaker) unicast() bool {
	r, ok := s.session.(*lan.Receiver)
	return ok && r.Unicast()
}

// Listeners implements control.Speaker.
func (s *Speaker) Listeners() ([]control.Listener, error) {
	if h := s.house.Load(); h != nil {
		if g := h.active.Load(); g != nil {
			return g.Listeners(), nil
		}
	}
	s.mu.Lock()
	address, playing := s.sourceAddress()
	s.mu.Unlock()
	if !playing {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return lan.FetchListeners(ctx, address)
}

// Artwork implements control.Speaker.
func (s *Speaker) Artwork() (picture []byte, mimeType string) {
	s.mu.Lock()
	address, playing := s.sourceAddress()
	s.mu.Unlock()
	if !playing {
		return nil, ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	picture, mimeType, err := lan.FetchArtwork(ctx, address)
	if err != nil {
		return nil, ""
	}
	return picture, mimeType
}

func micros(d time.Duration) float64 { return float64(d) / 1e3 }

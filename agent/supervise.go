package agent

import (
	"context"
	"sync"
	"time"

	"github.com/tutti-audio/tutti/agent/mode"
	"github.com/tutti-audio/tutti/agent/session/lan"
	"github.com/tutti-audio/tutti/agent/session/merge"
	"github.com/tutti-audio/tutti/agent/session/remote"
	"github.com/tutti-audio/tutti/ostp/describe"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// supervise keeps the wanted channel playing.
func (s *Speaker) supervise() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.wait.Go(func() {
		<-s.quit
		cancel()
	})
	for ctx.Err() == nil {
		s.say("searching", s.searching(), "")
		s.forgetWays()
		s.listen(ctx)
		if s.mayHear() {
			continue
		}
		s.say("searching", s.searching(), "")
		s.pause(ctx, time.Second)
	}
}

// mayHear reports whether there is any way to hear the wanted channel.
func (s *Speaker) mayHear() bool {
	channel := s.channel()
	return s.config.Source != "" || s.relay != nil && channel != "" || len(s.nearby.addresses(channel, nil)) > 0
}

// joinLAN hears a source on the network.
func (s *Speaker) joinLAN(ctx context.Context, address string, path *merge.Path, claim func(uint32) bool) (session, error) {
	if address == "" {
		return nil, errGone
	}
	r, err := lan.Join(ctx, lan.ReceiverConfig{
		Source: address, Interface: s.config.Interface, ID: s.state.ID, Name: s.name(), SSRC: s.ssrc,
		Tolerant: s.config.Tolerant, Clock: s.clock, Sink: path, Log: s.log, Claim: claim,
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// membership is how this speaker joins a channel at the relay.
func (s *Speaker) membership(channel string) remote.Membership {
	return remote.Membership{
		Relay: *s.relay, Channel: channel, Password: s.config.Password, Name: s.name(), Device: s.state.ID, Clock: s.clock, Log: s.log,
	}
}

// join becomes a member at the relay, and looks at the network to it meanwhile.
func (l *listening) join(ctx context.Context, dial func(context.Context, remote.Membership, func([]byte, timebase.Local)) (*remote.Member, error)) (*remote.Member, error) {
	m, err := dial(ctx, l.speaker.membership(l.channel), nil)
	if err == nil {
		l.wait.Go(func() { l.speaker.network.watch(ctx, m, l.speaker.log) })
	}
	return m, err
}

// joinRelay hears a channel by the relay.
func (l *listening) joinRelay(ctx context.Context, path *merge.Path, known *describe.Stream) (session, error) {
	m, err := l.member.get()
	if err != nil {
		return nil, err
	}
	return l.joinBy(ctx, m, path, known, remote.Relayed(m))
}

// joinWeb hears a channel by the relay where nothing but HTTP gets through.
func (l *listening) joinWeb(ctx context.Context, path *merge.Path, known *describe.Stream) (session, error) {
	m, err := l.join(ctx, remote.DialWeb)
	if err != nil {
		return nil, err
	}
	r, err := l.joinBy(ctx, m, path, known, remote.RelayedAlone(m))
	if err != nil {
		_ = m.Close()
	}
	return r, err
}

// joinBy hears a channel by a way off the LAN.
func (l *listening) joinBy(ctx context.Context, m *remote.Member, path *merge.Path, known *describe.Stream,
	open func(context.Context, func([]byte, timebase.Local)) (remote.Transport, error)) (session, error) {
	r, err := remote.Join(ctx, remote.ReceiverConfig{
		Member: m, Open: open, Clock: l.speaker.clock, Path: housePath{path, l.house}, Claim: l.claim, Known: known, Hold: l.house.hold, ID: l.speaker.state.ID, SSRC: l.speaker.ssrc,
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// membership is at most one membership at the relay, for all ways that need one.
type membership struct {
	mu   sync.Mutex
	dial func() (*remote.Member, error)
	now  *remote.Member
}

// get returns the membership, joining if there is none.
func (m *membership) get() (*remote.Member, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.now != nil {
		select {
		case <-m.now.Done():
			_ = m.now.Close()
			m.now = nil
		default:
			return m.now, nil
		}
	}
	var err error
	m.now, err = m.dial()
	return m.now, err
}

func (m *membership) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.now != nil {
		_ = m.now.Close()
		m.now = nil
	}
}

func (s *Speaker) setSession(next session, address string, d mode.Decision) {
	s.mu.Lock()
	s.session, s.address, s.mode, s.why = next, address, d.Lead, d.Reason
	if next == nil && s.phase.state == "playing" {
		s.phase = phase{state: "joining", reason: "the way by which the stream came is gone; looking for another"}
	}
	s.board.poke()
	s.mu.Unlock()
	if next != nil {
		s.say("playing", "", "")
	}
}

func (s *Speaker) say(state, reason, problem string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := phase{state: state, reason: reason, problem: problem}
	if s.phase != next && problem != "" {
		s.log.Warn("not playing", "reason", reason, "problem", problem)
	}
	s.phase = next
}

// pause waits, or until there is news.
func (s *Speaker) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-s.changed:
	case <-timer.C:
	}
}

func (s *Speaker) name() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown
}

func (s *Speaker) channel() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wants.channel
}

func (s *Speaker) searching() string {
	c := s.channel()
	switch {
	case c != "" && s.relay != nil:
		return "no source of channel " + c + " is on the network or at the relay"
	case c != "":
		return "no source of channel " + c + " is on the network"
	case s.relay != nil:
		return "no source is on the network; to hear one by the relay, choose a channel"
	}
	return "no source is on the network"
}

// stillWanted reports whether a source on the network is what should play: the same
// channel, and the same stream at its address.
func (s *Speaker) stillWanted(d describe.Stream, address string) bool {
	if want := s.channel(); want != "" && want != d.Channel {
		return false
	}
	if s.config.Source != "" || d.Term != 0 { // of gateways one follows the other within the stream
		return true
	}
	ssrc := d.SSRC
	if _, moved := s.nearby.movedTo(ssrc, address); moved {
		return false
	}
	now, known := s.nearby.ssrcAt(address)
	return !known || now == ssrc
}

package agent

import (
	"context"
	"time"

	"github.com/tutti-audio/tutti/agent/mode"
	"github.com/tutti-audio/tutti/agent/session/lan"
	"github.com/tutti-audio/tutti/agent/session/merge"
	"github.com/tutti-audio/tutti/agent/session/remote"
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
	return s.config.Source != "" || s.relay != nil && channel != "" || len(s.nearby.addresses(channel)) > 0
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

// joinRelay hears a channel by the relay.
func (s *Speaker) joinRelay(ctx context.Context, channel string, path *merge.Path, claim func(uint32) bool) (session, error) {
	r, err := remote.Join(ctx, remote.ReceiverConfig{
		Membership: remote.Membership{
			Relay: *s.relay, Channel: channel, Password: s.config.Password, Name: s.name(), Device: s.state.ID, Clock: s.clock, Log: s.log,
		},
		Path: path, SSRC: s.ssrc, Claim: claim,
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (s *Speaker) setSession(next session, address string, d mode.Decision) {
	s.mu.Lock()
	s.session, s.address, s.mode, s.why = next, address, d.Lead, d.Reason
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
	if c := s.channel(); c != "" {
		return "no source of channel " + c + " is on the network"
	}
	return "no source is on the network"
}

// stillWanted reports whether a source on the network is what should play: the same
// channel, and the same stream at its address.
func (s *Speaker) stillWanted(channel string, ssrc uint32, address string) bool {
	if want := s.channel(); want != "" && want != channel {
		return false
	}
	if s.config.Source != "" {
		return true
	}
	if _, moved := s.nearby.movedTo(ssrc, address); moved {
		return false
	}
	now, known := s.nearby.ssrcAt(address)
	return !known || now == ssrc
}

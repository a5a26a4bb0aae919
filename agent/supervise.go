package agent

import (
	"context"
	"errors"
	"time"

	"github.com/tutti-audio/tutti/agent/session/lan"
)

const (
	retryFirst = 100 * time.Millisecond
	retryMost  = 2 * time.Second
)

// supervise keeps the wanted channel playing.
func (s *Speaker) supervise() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.wait.Go(func() {
		<-s.quit
		cancel()
	})
	retry := retryFirst
	for ctx.Err() == nil {
		address := s.choose(ctx)
		if address == "" {
			s.say("searching", s.searching(), "")
			s.pause(ctx, time.Second)
			continue
		}
		s.say("joining", "found "+address, "")
		r, err := lan.Join(ctx, lan.ReceiverConfig{
			Source: address, Interface: s.config.Interface, ID: s.state.ID, Name: s.name(), SSRC: s.ssrc,
			Tolerant: s.config.Tolerant, Clock: s.clock, Sink: namedSink{s.player, s}, Log: s.log,
		})
		if err != nil {
			s.say("waiting", "cannot join", err.Error())
			s.pause(ctx, retry)
			retry = min(2*retry, retryMost)
			continue
		}
		retry = retryFirst
		s.play(ctx, r, address)
	}
}

// play follows a session until it ends or another one is wanted.
func (s *Speaker) play(ctx context.Context, r *lan.Receiver, address string) {
	stream := r.Stream()
	s.log.Info("joined", "channel", stream.Channel, "source", stream.Name, "address", address, "codec", stream.Codec, "latency", stream.Latency)
	s.setSession(r, address)
	s.say("playing", "", "")
	for {
		select {
		case <-ctx.Done():
		case <-r.Done():
			s.log.Info("the stream has ended", "channel", stream.Channel, "reason", r.Err())
		case <-s.changed:
			if s.stillWanted(stream.Channel, stream.SSRC, address) {
				continue
			}
			s.log.Info("leaving", "channel", stream.Channel)
		}
		break
	}
	s.setSession(nil, "")
	_ = r.Close()
	if errors.Is(r.Err(), lan.ErrGoodbye) {
		s.nearby.forget(address)
	}
}

func (s *Speaker) setSession(r *lan.Receiver, address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.session, s.address = r, address
	s.board.poke()
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

// stillWanted reports whether what plays is what should: the same channel, and
// the same stream at its address.
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

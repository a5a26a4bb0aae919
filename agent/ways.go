package agent

import (
	"context"
	"errors"
	"time"

	"github.com/tutti-audio/tutti/agent/mode"
	"github.com/tutti-audio/tutti/agent/session/lan"
	"github.com/tutti-audio/tutti/agent/session/remote"
	"github.com/tutti-audio/tutti/ostp/describe"
)

// open begins to open a way.
func (l *listening) open(ctx context.Context, m mode.Mode) {
	ctx, cancel := context.WithCancel(ctx)
	path, known := l.merge.NewPath(m == mode.LAN), l.known()
	l.ways[m] = way{path: path, cancel: cancel}
	s := l.speaker
	l.wait.Go(func() {
		e := event{mode: m, path: path}
		switch m {
		case mode.LAN:
			e.address = l.find(ctx)
			e.session, e.err = s.joinLAN(ctx, e.address, path, l.claim)
		case mode.Relay:
			e.address = s.relay.String()
			e.session, e.err = l.joinRelay(ctx, path, known)
		case mode.P2P:
			e.address = "the source itself"
			e.session, e.err = l.joinPeer(ctx, path, known)
		case mode.Web:
			e.address = s.relay.URL("")
			e.session, e.err = l.joinWeb(ctx, path, known)
		}
		select {
		case l.events <- e:
		case <-ctx.Done():
			if e.err == nil {
				_ = e.session.Close()
			}
			return
		}
		if e.err != nil {
			return
		}
		select {
		case <-e.session.Done():
			l.events <- event{mode: m, path: path, err: e.session.Err()}
		case <-ctx.Done():
		}
	})
}

// pace is how often to look at the ways.
func (l *listening) pace() time.Duration {
	if l.stalls {
		return worrying
	}
	return l.house.pace()
}

// expecting reports whether somebody to hear on the network may be found in a moment:
// others of the house were there before this speaker was switched on. To wait for them
// is better than to begin by another way, in a time that is not theirs.
func (l *listening) expecting() bool {
	return l.house.mates.Load() && time.Since(l.speaker.since) < expectFor
}

// expectFor is about as long as it takes to be found and joined.
const expectFor = 800 * time.Millisecond

// find returns the address of the source to play on the network, or nothing.
func (l *listening) find(ctx context.Context) string {
	for {
		address := l.speaker.choose(ctx, l.house.counts)
		if address != "" || !l.expecting() {
			return address
		}
		select {
		case <-ctx.Done():
			return ""
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// known returns the stream that plays by any way, or nil.
func (l *listening) known() *describe.Stream {
	for m := range l.ways {
		if l.ways[m].session != nil {
			stream := l.ways[m].session.Stream()
			return &stream
		}
	}
	return nil
}

// take follows an event.
func (l *listening) take(e event) {
	w := &l.ways[e.mode]
	if w.path != e.path { // it was shut meanwhile
		if e.session != nil && e.err == nil {
			_ = e.session.Close()
		}
		return
	}
	s := l.speaker
	if errors.Is(e.err, errGone) && !l.possible(e.mode) { // nobody was found: that is no failure
		l.shut(e.mode)
		return
	}
	if e.err == nil {
		stream := e.session.Stream()
		s.log.Info("joined", "by", e.mode, "channel", stream.Channel, "source", stream.Name, "address", e.address, "codec", stream.Codec, "latency", stream.Latency)
		w.session, w.address = e.session, e.address
		s.noteWay(e.mode, nil)
		if e.mode == mode.LAN {
			l.house.failing = 0
		}
		return
	}
	if e.mode == mode.LAN && w.session == nil {
		l.house.noneOnLAN(s.clock.Now())
		s.doubt(e.address)
	}
	if w.session == nil {
		if l.lead == mode.None {
			s.say("waiting", "cannot join", e.err.Error())
		} else {
			s.log.Info("a way cannot be opened", "by", e.mode, "channel", l.channel, "reason", e.err)
		}
	} else {
		s.log.Info("the stream has ended", "by", e.mode, "channel", l.channel, "reason", e.err)
	}
	if errors.Is(e.err, lan.ErrGoodbye) {
		s.nearby.forget(w.address)
	}
	l.over = errors.Is(e.err, lan.ErrGoodbye) || errors.Is(e.err, lan.ErrChanged) || errors.Is(e.err, remote.ErrChanged)
	l.engine.Failed(e.mode, s.clock.Now())
	s.noteWay(e.mode, e.err)
	l.shut(e.mode)
}

// shut closes a way.
func (l *listening) shut(m mode.Mode) {
	w := l.ways[m]
	l.ways[m] = way{}
	if w.cancel != nil {
		w.cancel()
	}
	if w.session != nil {
		_ = w.session.Close()
	}
	if l.lead == m {
		l.lead = mode.None
		l.speaker.setSession(nil, "", mode.Decision{Lead: mode.None})
	}
}

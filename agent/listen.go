package agent

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-audio/tutti/agent/mode"
	"github.com/tutti-audio/tutti/agent/session/lan"
	"github.com/tutti-audio/tutti/agent/session/merge"
	"github.com/tutti-audio/tutti/agent/session/remote"
	"github.com/tutti-audio/tutti/ostp/describe"
	"github.com/tutti-audio/tutti/sync/offset"
)

// errGone says that a source vanished before it could be joined.
var errGone = errors.New("the source is gone")

// session is a way by which the stream comes.
type session interface {
	Done() <-chan struct{}
	Err() error
	Stream() describe.Stream
	Clock() offset.Estimate
	Way() (idle time.Duration, playing bool, loss float64)
	Close() error
}

// How often the ways are looked at where there is more than one: often enough that it
// does not matter when the one that leads brings nothing, because then all that is
// buffered is not much.
const (
	looking  = 50 * time.Millisecond
	worrying = 10 * time.Millisecond
)

// listening is one stream being heard, by one way or several at once. It belongs to
// the supervisor.
type listening struct {
	speaker *Speaker
	channel string
	merge   *merge.Merge
	engine  mode.Engine
	ways    [mode.Count]way
	lead    mode.Mode
	member  membership // at the relay
	house   *household
	events  chan event
	wait    sync.WaitGroup // for those who open ways
	ssrc    atomic.Uint32  // of the stream; 0: not known yet
	stalls  bool           // the way that leads may be bringing nothing
	over    bool           // the stream has ended
}

// way is what is done about a mode.
type way struct {
	session session // nil while it is being opened
	address string
	path    *merge.Path
	cancel  context.CancelFunc // not nil: wanted
}

// event is a way that was opened, could not be, or has ended.
type event struct {
	mode    mode.Mode
	path    *merge.Path // whose it is
	session session
	address string
	err     error
}

// listen hears the wanted channel until the stream ends or another is wanted.
func (s *Speaker) listen(ctx context.Context) {
	l := &listening{speaker: s, channel: s.channel(), events: make(chan event, 2*mode.Count), lead: mode.None}
	l.house = newHousehold(s, l.channel)
	s.house.Store(l.house)
	sink := &houseSink{namedSink: namedSink{s.player, s}, house: l.house}
	l.merge = merge.New(sink, s.clock.Now)
	sink.young = l.merge.Young
	defer l.end()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.member.dial = func() (*remote.Member, error) { return l.join(ctx, remote.Dial) }
	if l.possible(mode.LAN) {
		s.say("joining", "found a source on the network", "")
	}
	pace := looking
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for ctx.Err() == nil && !l.over {
		l.house.takeOver(l, s.clock.Now())
		if !l.decide(ctx) {
			return
		}
		l.house.tend(ctx, l, s.clock.Now())
		if p := l.pace(); p != pace {
			pace = p
			tick.Reset(pace)
		}
		ticks := tick.C
		if l.only(mode.LAN) { // nothing else could be done: do not look
			ticks = nil
		}
		select {
		case <-ctx.Done():
		case e := <-l.events:
			l.take(e)
		case <-s.changed:
			if !l.stillWanted() {
				return
			}
		case <-ticks:
		}
	}
}

// possible says which modes there is an address for.
func (l *listening) possible(m mode.Mode) bool {
	s := l.speaker
	switch m {
	case mode.LAN:
		return s.config.Source != "" || len(s.nearby.addresses(l.channel, l.house.counts)) > 0 || l.expecting()
	case mode.P2P, mode.Relay, mode.Web:
		return s.relay != nil && l.channel != "" && !l.expecting()
	}
	return false
}

// only reports whether one way is open and no other is possible.
func (l *listening) only(m mode.Mode) bool {
	for o := range l.ways {
		if mode.Mode(o) != m && (l.possible(mode.Mode(o)) || l.ways[o].cancel != nil) {
			return false
		}
	}
	return l.ways[m].session != nil && l.lead == m && !l.expecting()
}

// decide asks the engine what should be and does it. It reports false when there is
// nothing to hear.
func (l *listening) decide(ctx context.Context) bool {
	var seen [mode.Count]mode.Way
	some := false
	for m := range l.ways {
		w := &l.ways[m]
		seen[m].Possible = l.possible(mode.Mode(m)) || w.session != nil
		some = some || seen[m].Possible
		if w.session != nil {
			seen[m].Open = true
			seen[m].Idle, seen[m].Playing, seen[m].Loss = w.session.Way()
		}
		if r, ok := w.session.(*lan.Receiver); ok {
			l.house.judge(r, &seen[m])
			w.address = r.Source()
			if l.house.outdated(r, seen[m]) {
				l.shut(mode.Mode(m))
				seen[m] = mode.Way{Possible: l.possible(mode.Mode(m))}
			}
		}
	}
	if !some {
		return false
	}
	l.stalls = l.lead != mode.None && seen[l.lead].Idle > mode.Stalled/2
	d := l.engine.Decide(seen, l.speaker.clock.Now())
	for m := range l.ways {
		switch w := &l.ways[m]; {
		case d.Want[m] && w.cancel == nil:
			l.open(ctx, mode.Mode(m))
		case !d.Want[m] && w.cancel != nil && mode.Mode(m) != d.Lead:
			l.shut(mode.Mode(m))
		}
	}
	l.follow(d)
	return true
}

// follow lets a way lead.
func (l *listening) follow(d mode.Decision) {
	if d.Lead == l.lead {
		return
	}
	l.lead = d.Lead
	if d.Lead == mode.None {
		l.speaker.setSession(nil, "", d)
		return
	}
	w := &l.ways[d.Lead]
	w.path.Prefer()
	l.speaker.log.Info("playing", "by", d.Lead, "because", d.Reason)
	l.speaker.setSession(w.session, w.address, d)
}

// claim reports whether a stream is the one that is heard; the first is.
func (l *listening) claim(ssrc uint32) bool {
	return l.ssrc.CompareAndSwap(0, ssrc) || l.ssrc.Load() == ssrc
}

// stillWanted reports whether what plays is what should.
func (l *listening) stillWanted() bool {
	w := l.ways[mode.LAN]
	if l.speaker.channel() != l.channel {
		return false
	}
	if w.session == nil {
		return true
	}
	return l.speaker.stillWanted(w.session.Stream(), w.address)
}

// end closes every way, also those that were just being opened, and waits.
func (l *listening) end() {
	l.house.close(l.over)
	for m := range l.ways {
		l.shut(mode.Mode(m))
	}
	ended := make(chan struct{})
	go func() {
		l.wait.Wait()
		close(ended)
	}()
	for waiting := true; waiting || len(l.events) > 0; {
		select {
		case e := <-l.events:
			if e.session != nil {
				_ = e.session.Close()
			}
		case <-ended:
			waiting, ended = false, nil
		}
	}
	l.member.close()
}

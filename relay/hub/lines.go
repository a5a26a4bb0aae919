package hub

import (
	"errors"

	"github.com/tutti-audio/tutti/ostp/line"
)

// How much may be said: lines of one member or visitor, and SIGNALs of a member.
const (
	lineEvery   = 20e6 // ns for each: 50 a second
	lineBurst   = 100
	signalEvery = 50e6
	signalBurst = 64
)

// origin is who a line came from. Its name belongs to the worker.
type origin struct {
	way
	member  *member  // nil: not one yet
	visitor *visitor // of an address that proved itself and is no member
	size    int      // of what came; nothing longer goes to an address without proof
	besides bool     // the address has a DTLS association, whose this is not
}

// line answers one line.
func (h *Hub) line(o *origin, b []byte, now int64) {
	h.counts.Lines.Add(1)
	l, err := line.Parse(b)
	if err != nil {
		h.counts.BadLines.Add(1)
		if o.member != nil && !errors.Is(err, line.ErrVerb) && o.member.errors.allow(now, errorEvery, 2) {
			h.tell(o.member, line.Err{Word: line.InvalidFormat})
		}
		return
	}
	if c, ok := l.(line.Challenge); ok {
		h.prove(o, c.Token, now)
		return
	}
	if o.member == nil {
		h.stranger(o, l, now)
		return
	}
	o.member.seen.Store(now)
	if !o.member.lines.allow(now, lineEvery, lineBurst) {
		h.counts.Limited.Add(1)
		return
	}
	if !o.member.proven.Load() {
		o.member.budget.Store(unprovenBudget)
	}
	h.memberLine(o, l, now)
}

// prove takes an echoed challenge. Nothing answers it.
func (h *Hub) prove(o *origin, token string, now int64) {
	if o.sink != nil || !h.gate.prove(o.addr, token, now) {
		return
	}
	h.counts.Proved.Add(1)
	if m := o.member; m != nil {
		m.seen.Store(now)
		m.since.Store(now)
		h.trust(m)
	}
}

// trust makes a member that was admitted without proof an ordinary one.
func (h *Hub) trust(m *member) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !m.gone.Load() && m.proven.CompareAndSwap(false, true) {
		m.channel.audience.Store(newAudience(m.channel.members))
	}
}

// stranger answers a line of an address that is no member. Until it has proved
// itself, all it gets is a challenge.
func (h *Hub) stranger(o *origin, l line.Line, now int64) {
	join, joins := l.(line.Join)
	switch l.(type) {
	case line.Join, line.Ping, line.Leave, line.PingPeer, line.Signal:
	default:
		return // nothing that would be answered
	}
	if o.sink == nil {
		o.visitor = h.gate.visitor(o.addr, now)
		if o.besides && o.visitor != nil && !o.visitor.echoedLately(now) {
			o.visitor = nil // anybody could forge this
		}
		if o.visitor == nil {
			if !joins || o.besides || !h.settings.Load().AdmitUnproven {
				h.challenge(o, now)
				return
			}
			h.challenge(o, now) // who can echo it is then served like anybody
			o.visitor = h.gate.admit(o.addr, now)
		}
	}
	if !o.visitor.talk.allow(now, lineEvery, lineBurst) {
		h.counts.Limited.Add(1)
		return
	}
	switch l := l.(type) {
	case line.Join:
		h.join(o, join, now)
	case line.Ping:
		h.answer(o.way, line.Pong(l))
	default:
		h.answer(o.way, line.Err{Word: line.NotInGroup})
	}
}

// challenge sends a challenge, unless that is longer than what came.
func (h *Hub) challenge(o *origin, now int64) {
	b, err := line.Append(nil, line.Challenge{Token: h.gate.token(o.addr, now/tokenEpoch)})
	if err != nil || len(b) > o.size {
		h.counts.ChallengedNot.Add(1)
		return
	}
	h.counts.Challenged.Add(1)
	h.write(o.way, b)
}

// memberLine answers a member's line.
func (h *Hub) memberLine(o *origin, l line.Line, now int64) {
	m := o.member
	switch l := l.(type) {
	case line.Join:
		h.join(o, l, now)
	case line.Leave:
		h.leave(m)
		h.answer(o.way, line.OK{Text: "left"})
		o.member = nil
	case line.Ping:
		h.tell(m, line.Pong(l))
	case line.PingPeer:
		if peer := h.members.get(l.Peer); peer != nil && peer.channel == m.channel {
			h.tell(peer, line.PingPeer{Peer: m.addr, Time: l.Time})
		}
	case line.Signal:
		h.signal(m, l, now)
	}
}

// signal passes on a SIGNAL inside the channel.
func (h *Hub) signal(m *member, l line.Signal, now int64) {
	if !m.signals.allow(now, signalEvery, signalBurst) {
		h.counts.Limited.Add(1)
		return
	}
	h.mu.Lock()
	var to *member
	for _, other := range m.channel.members {
		if other.id == l.ID {
			to = other
		}
	}
	h.mu.Unlock()
	if to == nil {
		h.tell(m, line.Gone{ID: l.ID})
		return
	}
	h.counts.Signals.Add(1)
	h.tell(to, line.Signal{ID: m.id, Payload: l.Payload})
}

// answer sends a line to somebody who proved himself.
func (h *Hub) answer(to way, l line.Line) {
	if b, err := line.Append(nil, l); err == nil {
		h.counts.Answers.Add(1)
		h.write(to, b)
	}
}

// tell sends a line to a member.
func (h *Hub) tell(m *member, l line.Line) {
	b, err := line.Append(nil, l)
	if err == nil && m.spend(len(b)) {
		h.counts.Answers.Add(1)
		h.write(m.way, b)
	}
}

func (h *Hub) write(to way, b []byte) {
	if to.sink != nil {
		to.sink.Line(b)
		return
	}
	_ = h.ports[0].Send(b, to.name)
}

// mail is what is to be said once the lock is released.
type mail []letter

type letter struct {
	to   *member
	line line.Line
}

func (l *mail) add(to *member, what line.Line) { *l = append(*l, letter{to, what}) }

// all tells every member but one.
func (l *mail) all(c *channel, but *member, what line.Line) {
	for _, m := range c.members {
		if m != but {
			l.add(m, what)
		}
	}
}

func (h *Hub) post(l mail) {
	for _, letter := range l {
		h.tell(letter.to, letter.line)
	}
}

package hub

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/line"
)

// unprovenBudget is what may be sent to an address without proof for each line that
// comes from it, in bytes: five seconds of 200 kb/s, for SDKs that speak every four.
const unprovenBudget = 128 << 10

// join makes the origin a member, or answers one that is a member already again.
func (h *Hub) join(o *origin, j line.Join, now int64) {
	if word := h.mayJoin(o, j, now); word != "" {
		if word == line.RateLimited {
			h.counts.Limited.Add(1)
			return
		}
		h.refuse(o, word)
		return
	}
	h.mu.Lock()
	m, letters, word := h.enter(o, j, now)
	h.mu.Unlock()
	if word != "" {
		if n := h.network(o); word == line.WrongPassword && n != nil && !n.guesses.allow(now, guessEvery, guessBurst) {
			return
		}
		h.refuse(o, word)
		return
	}
	o.member = m
	h.counts.Joins.Add(1)
	h.post(letters)
}

// refuse answers a JOIN that was not granted.
func (h *Hub) refuse(o *origin, word line.Word) {
	if o.member != nil {
		h.tell(o.member, line.Err{Word: word})
		return
	}
	h.answer(o.way, line.Err{Word: word})
	if word == line.Draining {
		h.answer(o.way, line.Move{Relay: h.moveTarget()})
	}
}

func (h *Hub) network(o *origin) *network { return h.gate.network(o.addr.Addr()) }

// mayJoin checks what needs no lock.
func (h *Hub) mayJoin(o *origin, j line.Join, now int64) line.Word {
	s := h.settings.Load()
	n := h.network(o)
	switch {
	case o.member != nil && !o.member.joins.allow(now, every(s.JoinsPerSecond), int64(s.JoinsPerSecond)+1),
		o.visitor != nil && !o.visitor.joins.allow(now, every(s.JoinsPerSecond), int64(s.JoinsPerSecond)+1),
		n != nil && !n.joins.allow(now, every(s.JoinsPerNetwork), int64(s.JoinsPerNetwork)+1),
		n != nil && n.guesses.next.Load()-now > guessEvery*(guessBurst-1):
		return line.RateLimited
	case ostp.CheckChannel(j.Channel) != nil:
		return line.InvalidName
	}
	return ""
}

// enter is join under the lock.
func (h *Hub) enter(o *origin, j line.Join, now int64) (m *member, letters mail, word line.Word) {
	if o.member != nil && !o.member.gone.Load() && o.member.channel.name == j.Channel && o.member.asked == sha256.Sum256([]byte(j.Device)) {
		return o.member, h.again(o.member, j), ""
	}
	if h.draining {
		return nil, nil, line.Draining
	}
	s := h.settings.Load()
	a, configured := s.Channels[j.Channel]
	c := h.channels[j.Channel]
	switch {
	case c == nil && len(h.channels) >= s.MaxChannels:
		return nil, nil, line.RelayFull
	case c == nil:
		c = &channel{name: j.Channel, private: a.Password != "" || !configured && j.Password != "", password: sha256.Sum256([]byte(j.Password))}
		c.audience.Store(new(audience))
	case len(c.members) >= s.MaxMembers:
		return nil, nil, line.GroupFull
	}
	role := line.Listener
	twin := h.sessions[j.Password] // who knows it has joined already
	if twin == nil || twin.channel != c {
		if role, word = c.admit(j, a, configured); word != "" {
			return nil, nil, word
		}
		twin = nil
	}
	if o.member != nil {
		letters = h.exit(o.member)
	}
	if old := h.members.get(o.addr); old != nil && o.name != nil { // it spoke otherwise until now
		letters = append(letters, h.exit(old)...)
	}
	h.channels[c.name] = c
	m = h.newMember(o, j, c, role, now)
	m.become(twin)
	c.add(m)
	c.settle(a)
	h.sessions[m.session] = m
	h.know(m, now)
	if m.name != nil {
		h.members.set(m.addr, m)
	}
	letters = append(letters, h.welcome(m)...)
	return m, append(letters, c.introduce(m)...), ""
}

func (h *Hub) newMember(o *origin, j line.Join, c *channel, role line.Role, now int64) *member {
	var secret [16]byte
	_, _ = rand.Read(secret[:]) // it does not fail
	m := &member{
		way: o.way, channel: c, session: hex.EncodeToString(secret[:]), device: sha256.Sum256([]byte(j.Device)), named: j.Device != "",
		options: j.Options,
	}
	m.network = h.network(o)
	m.setRole(role)
	m.proven.Store(o.sink != nil || o.visitor == nil || !o.visitor.unproven.Load())
	m.asked = m.device
	m.id = m.session[:line.IDSize]
	if m.name != nil {
		name := *m.name // the worker's own is overwritten by the next datagram
		m.name = &name
	}
	m.seen.Store(now)
	m.since.Store(now)
	if o.visitor != nil && o.sink == nil {
		m.since.Store(o.visitor.since)
	}
	m.budget.Store(unprovenBudget)
	return m
}

// become makes m the device that twin is.
func (m *member) become(twin *member) {
	if twin == nil {
		return
	}
	if !twin.named {
		twin.named, twin.device = true, sha256.Sum256([]byte(twin.session))
	}
	m.named, m.device = true, twin.device
}

// again is a JOIN of one who is a member of that channel.
func (h *Hub) again(m *member, j line.Join) mail {
	if m.options != j.Options {
		m.options = j.Options
		m.channel.audience.Store(newAudience(m.channel.members))
	}
	return h.welcome(m)
}

// welcome is what a JOIN is answered with.
func (h *Hub) welcome(m *member) (l mail) {
	c := m.channel
	for _, what := range []line.Line{
		line.OK{Text: "joined"}, line.RoleIs{Role: m.role}, line.YourAddr{Addr: m.addr}, line.Session{ID: m.session}, line.Mode{Private: c.private}, line.ID{ID: m.id},
	} {
		l.add(m, what)
	}
	for _, other := range c.members {
		if other == m {
			continue
		}
		if len(c.members) <= c.peers() && other.name != nil {
			l.add(m, line.Peer{Addr: other.addr})
		}
		if other.role.Sends() && !other.elder {
			l.add(m, line.Member{ID: other.id, Role: other.role})
		}
	}
	if c.etag != "" {
		l.add(m, line.Description{ETag: c.etag})
	}
	return l
}

// introduce tells the others of a new member.
func (c *channel) introduce(m *member) (l mail) {
	if len(c.members) <= c.peers() && m.name != nil {
		l.all(c, m, line.Peer{Addr: m.addr})
	}
	if m.role.Sends() {
		l.all(c, m, line.Member{ID: m.id, Role: m.role})
		if twin := m.twin.Load(); twin != nil {
			l.all(c, m, line.Gone{ID: twin.id})
		}
	}
	return l
}

// leave ends a membership.
func (h *Hub) leave(m *member) {
	h.mu.Lock()
	letters := h.exit(m)
	h.mu.Unlock()
	h.post(letters)
}

// exit is leave under the lock.
func (h *Hub) exit(m *member) (l mail) {
	if m.gone.Load() {
		return nil
	}
	m.gone.Store(true)
	c := m.channel
	c.remove(m)
	delete(h.sessions, m.session)
	if m.name != nil && h.members.get(m.addr) == m {
		h.members.set(m.addr, nil)
	}
	if len(c.members) == 0 {
		delete(h.channels, c.name)
	}
	c.settle(h.settings.Load().Channels[c.name])
	if !m.role.Sends() || m.elder {
		return l
	}
	if twin := m.twin.Load(); twin != nil {
		l.all(c, twin, line.Member{ID: twin.id, Role: twin.role})
	}
	l.all(c, m, line.Gone{ID: m.id})
	return l
}

// takeFloor gives m the floor if it may send and nobody else is heard.
func (h *Hub) takeFloor(m *member, now int64) bool {
	c := m.channel
	holder := c.floor.Load()
	if holder != nil && !holder.same(m) && now-c.floorAt.Load() < floorHold {
		return false
	}
	if holder == nil || !holder.same(m) {
		if !m.sends.Load() && !c.yields.Load() {
			return false
		}
	}
	h.mu.Lock()
	letters, ok := c.give(m, now)
	h.mu.Unlock()
	h.post(letters)
	return ok
}

// give is takeFloor under the lock.
func (c *channel) give(m *member, now int64) (l mail, ok bool) {
	holder := c.floor.Load()
	if m.gone.Load() || holder != nil && !holder.same(m) && now-c.floorAt.Load() < floorHold {
		return nil, false
	}
	if !m.role.Sends() {
		if !c.yields.Load() {
			return nil, false
		}
		l = c.crown(m)
	}
	if c.owner == m {
		c.yields.Store(false)
	}
	c.floorAt.Store(now)
	c.floor.Store(m)
	return l, true
}

// crown makes m the owner; the one before listens.
func (c *channel) crown(m *member) (l mail) {
	if old := c.owner; old != nil {
		old.setRole(line.Listener)
		l.add(old, line.RoleIs{Role: line.Listener})
		l.all(c, nil, line.Member{ID: old.id, Role: line.Listener})
	}
	m.setRole(line.Owner)
	c.owner, c.device, c.named = m, m.device, m.named
	l.add(m, line.RoleIs{Role: line.Owner})
	l.all(c, m, line.Member{ID: m.id, Role: line.Owner})
	return l
}

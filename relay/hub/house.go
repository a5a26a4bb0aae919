package hub

import (
	"time"

	"github.com/tutti-audio/tutti/ostp/line"
)

const (
	memberFor  = 15e9 // ns without a valid packet after which a member is gone
	houseEvery = 250 * time.Millisecond
	gateEvery  = 10 * time.Second
)

// keepHouse expires members, forgets proofs, and tells of trouble once a second.
func (h *Hub) keepHouse() {
	ticker := time.NewTicker(houseEvery)
	defer ticker.Stop()
	var trouble trouble
	for turn := 0; ; turn++ {
		select {
		case <-h.quit:
			return
		case <-ticker.C:
		}
		if jump := h.clock.follow(); jump != 0 {
			h.log.Warn("the host's clock jumped or this process was stopped: nobody expires for that", "jump", time.Duration(jump))
		}
		if turn%4 == 0 {
			h.expire(h.clock.now())
			trouble.tell(h)
		}
		if turn%int(gateEvery/houseEvery) == 0 {
			h.gate.sweep(h.clock.now())
		}
	}
}

// expire ends the membership of those who were not heard for 15 s. The end of a
// connection is known otherwise.
func (h *Hub) expire(now int64) {
	h.mu.Lock()
	var letters mail
	var over []*member
	for _, c := range h.channels {
		for _, m := range c.members {
			h.know(m, now)
			switch {
			case m.name == nil:
			case now-m.seen.Load() > memberFor, m.unwilling(now):
				letters = append(letters, h.exit(m)...)
				if m.sealed != nil {
					over = append(over, m)
				}
				h.counts.Expired.Add(1)
			case m.asking != 0:
				letters.add(m, line.Challenge{Token: h.gate.token(m.addr, now/tokenEpoch)})
			}
		}
	}
	h.mu.Unlock()
	h.post(letters)
	for _, m := range over {
		m.sealed.Close()
	}
}

// unwilling asks a member now and then to prove its address again, and reports that
// it did not: forged packets must not keep a stream going to an address that does
// not want it any more. The caller holds the hub's lock.
func (m *member) unwilling(now int64) bool {
	switch {
	case m.sealed != nil || !m.proven.Load() || now-m.since.Load() < proveEvery:
		m.asking = 0
	case m.asking == 0:
		m.asking = now
	}
	return m.asking != 0 && now-m.asking > proveWithin
}

// trouble is what was counted when it was last told.
type trouble map[string]uint64

// tell logs how much trouble there was since the last call, in one line.
func (t *trouble) tell(h *Hub) {
	if *t == nil {
		*t = trouble{}
	}
	var args []any
	for _, c := range h.Counts() {
		switch c.Name {
		case "bad_crc_total", "foreign_total", "strangers_total", "bad_lines_total", "refused_total", "dropped_total", "limited_total", "nacks_limited_total", "unsent_total", "socket_errors_total", "challenges_withheld_total":
			if n := c.Value - (*t)[c.Name]; n > 0 {
				args = append(args, c.Name, n)
			}
			(*t)[c.Name] = c.Value
		}
	}
	if len(args) > 0 {
		h.log.Info("not served in the last second", args...)
	}
}

// Drain asks all members to go to another relay, and lets nobody join any more;
// media still flows. An empty relay is any other.
func (h *Hub) Drain(relay string) {
	h.mu.Lock()
	h.draining, h.moveTo = true, relay
	var letters mail
	for _, c := range h.channels {
		letters.all(c, nil, line.Move{Relay: relay})
	}
	h.mu.Unlock()
	h.post(letters)
}

func (h *Hub) moveTarget() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.moveTo
}

// Draining reports whether Drain was called.
func (h *Hub) Draining() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.draining
}

// Size returns how many channels and members there are.
func (h *Hub) Size() (channels, members int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.channels), len(h.sessions)
}

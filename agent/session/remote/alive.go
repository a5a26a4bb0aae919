package remote

import (
	"context"
	"fmt"
	"time"

	"github.com/tutti-audio/tutti/ostp/line"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// stay keeps the membership and the way through NATs alive, until this host's own way to
// the relay is another and nothing comes by the old one. A sender, who hears no
// media, joins again each time: a relay that answers its PINGs may do nothing else.
func (m *Member) stay() {
	tick := time.NewTicker(aliveEvery / looks)
	defer tick.Stop()
	m.heard.Store(int64(m.config.Clock.Now()))
	for n := 0; ; n++ {
		if n%looks == 0 {
			m.ping()
		}
		select {
		case <-m.ctx.Done():
			return
		case <-tick.C:
		}
		quiet := m.config.Clock.Now().Sub(timebase.Local(m.heard.Load()))
		if other, gone := m.link.Look(); gone || other && quiet > quietFor {
			m.cancel(ErrRoamed)
			return
		}
		if n%looks != looks-1 {
			continue
		}
		if quiet > silentFor {
			m.cancel(ErrSilent)
			return
		}
		if !m.options.Send {
			continue
		}
		if m.unread.Load() >= deafAfter {
			_ = m.Send(line.Leave{Channel: m.config.Channel})
			m.cancel(ErrDeaf)
			return
		}
		m.sendJoin()
	}
}

// ping asks for a sign of life. Each PING is told from those before: an answer to
// another would make the round trip whatever lies between the two.
func (m *Member) ping() {
	m.mu.Lock()
	m.pings++
	m.pinged, m.asked = fmt.Sprintf("%s:%d", m.config.Device, m.pings), m.config.Clock.Now()
	text := m.pinged
	m.mu.Unlock()
	_ = m.Send(line.Ping{Text: text})
}

// nudge speaks to a relay from which no media has come for so long: a NAT may have given
// this member another address, or the JOIN that asked for media was lost.
func (m *Member) nudge(idle time.Duration) {
	m.ping()
	if m.unread.Load() > 0 || idle > time.Second {
		m.sendJoin()
	}
}

// pong takes the answer to a PING.
func (m *Member) pong(text string, at timebase.Local) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if text != m.pinged {
		return
	}
	m.trip.Store(int64(m.trips.Add(at.Sub(m.asked))))
}

// Answers reports whether the relay has answered of late.
func (m *Member) Answers() bool {
	return m.config.Clock.Now().Sub(timebase.Local(m.heard.Load())) < 2*aliveEvery
}

// RoundTrip is the shortest of the last round trips to the relay, 0 if none is known.
func (m *Member) RoundTrip() time.Duration { return time.Duration(m.trip.Load()) }

// Done is closed when the membership has ended.
func (m *Member) Done() <-chan struct{} { return m.ctx.Done() }

// Err says why it ended.
func (m *Member) Err() error { return context.Cause(m.ctx) }

// token is the session by which HTTP knows this member.
func (m *Member) token() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.session
}

// Close leaves the channel and waits.
func (m *Member) Close() error {
	if m.ctx.Err() == nil {
		_ = m.Send(line.Leave{Channel: m.config.Channel})
	}
	m.cancel(context.Canceled)
	m.wait.Wait()
	m.http.CloseIdleConnections()
	return nil
}

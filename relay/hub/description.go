package hub

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/line"
)

// MaxDescription is the longest stream description, in bytes.
const MaxDescription = 8 << 10

// Why a description is not taken or given.
var (
	ErrNoChannel = errors.New("there is no such channel here: join it first")
	ErrSession   = errors.New("this takes the session of a member: send Authorization: Bearer SESSION, as the relay told it after JOIN")
	ErrMayNot    = errors.New("only a member that may send describes the stream")
	ErrTooLong   = errors.New("the description is longer than 8192 bytes")
	ErrNothing   = errors.New("the stream has not been described yet: ask again at the line DESCRIPTION")
)

// Describe sets the description of a channel's stream, which the hub does not read,
// and tells the members when it is another. The session must be that of a member
// that may send.
func (h *Hub) Describe(channel, session string, text []byte) (etag string, err error) {
	if len(text) > MaxDescription {
		return "", ErrTooLong
	}
	h.mu.Lock()
	letters, etag, err := h.describe(channel, session, text)
	h.mu.Unlock()
	h.post(letters)
	return etag, err
}

func (h *Hub) describe(channel, session string, text []byte) (l mail, etag string, err error) {
	m := h.sessions[session]
	switch {
	case m == nil || m.channel.name != channel:
		return nil, "", ErrSession
	case !m.role.Sends() && !m.channel.yields.Load():
		return nil, "", ErrMayNot
	}
	c := m.channel
	if bytes.Equal(c.description, text) {
		return nil, c.etag, nil
	}
	sum := sha256.Sum256(text)
	c.description, c.etag = bytes.Clone(text), hex.EncodeToString(sum[:8])
	l.all(c, m, line.Description{ETag: c.etag})
	return l, c.etag, nil
}

// Description returns the description of a channel's stream. A private channel's is
// for the sessions of its members.
func (h *Hub) Description(channel, session string) (text []byte, etag string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, m := h.channels[channel], h.sessions[session]
	switch {
	case c != nil && c.private && (m == nil || m.channel != c):
		return nil, "", ErrSession
	case c == nil && h.settings.Load().Channels[channel].Password != "":
		return nil, "", ErrSession
	case c == nil:
		return nil, "", ErrNoChannel
	case c.etag == "":
		return nil, "", ErrNothing
	}
	return c.description, c.etag, nil
}

// State is what anybody may know of a channel.
type State struct {
	Exists, Private bool
	Live            bool             // somebody sends; never told of a private one
	Members         int              // never told of a private one
	Member          bool             // the session is that of a member
	PayloadType     ostp.PayloadType // of the latest packet; 0: none, or never told
}

// State returns what the owner of a session, which may be empty, may know.
func (h *Hub) State(channel, session string) State {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, m := h.channels[channel], h.sessions[session]
	s := State{Private: h.settings.Load().Channels[channel].Password != "" || c != nil && c.private, Member: m != nil && m.channel == c && c != nil}
	if c == nil || s.Private && !s.Member {
		return s
	}
	s.Exists, s.Members = true, len(c.members)
	s.PayloadType = ostp.PayloadType(c.payload.Load())
	s.Live = c.floor.Load() != nil && h.clock.now()-c.floorAt.Load() < floorHold
	return s
}

package hub

import (
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"sync/atomic"

	"github.com/tutti-audio/tutti/ostp/line"
)

const (
	floorHold   = 2e9   // ns of silence after which another may send
	ringEvery   = 100e6 // ns; a source's new SSRC is kept apart no oftener
	publicPeers = 8     // PEER lines are sent in public channels of so many
	privatePeer = 64    // and in private ones
)

// channel is one channel. members, owner and description are guarded by the hub's
// lock.
type channel struct {
	name     string
	private  bool
	password [sha256.Size]byte // of a channel that is not configured
	members  []*member
	owner    *member
	device   [sha256.Size]byte // of the owner, also after it left
	named    bool
	yields   atomic.Bool // whoever sends first becomes the owner

	audience atomic.Pointer[audience]
	floor    atomic.Pointer[member]
	floorAt  atomic.Int64
	payload  atomic.Uint32            // type of the latest packet but FEC
	rings    atomic.Pointer[[2]*ring] // the present SSRC's, and that before
	ringAt   pace
	reports  pace // RTCP to the source

	description []byte
	etag        string
}

// admit decides who a JOIN makes somebody; a word refuses.
func (c *channel) admit(j line.Join, a Access, configured bool) (line.Role, line.Word) {
	listen := c.password
	if configured {
		listen = sha256.Sum256([]byte(a.Password))
	}
	switch {
	case a.SendPassword != "" && sameSecret(j.Password, sha256.Sum256([]byte(a.SendPassword))):
		return line.DJ, ""
	case c.private && !sameSecret(j.Password, listen), !c.private && j.Password != "":
		return "", line.WrongPassword
	case a.SendPassword == "" && len(c.members) == 0:
		return line.Owner, ""
	}
	return line.Listener, ""
}

func sameSecret(given string, want [sha256.Size]byte) bool {
	sum := sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(sum[:], want[:]) == 1
}

// add makes m a member.
func (c *channel) add(m *member) {
	if m.named {
		c.pair(m)
	}
	c.members = append(c.members, m)
	if m.role == line.Owner {
		c.owner, c.device, c.named = m, m.device, m.named
	}
	c.audience.Store(newAudience(c.members))
}

// pair finds the same device's other membership: that of its last start, or another
// way by which it comes. Being one device, they share role and floor, and the others are
// told of the newest.
func (c *channel) pair(m *member) {
	for _, other := range c.members {
		if other.named && other.device == m.device {
			m.twin.Store(other)
			other.twin.Store(m)
			other.elder = true
			if other.role.Sends() {
				m.setRole(other.role)
			}
			c.floor.CompareAndSwap(other, m)
		}
	}
	if c.named && c.device == m.device && !c.has(c.owner) {
		m.setRole(line.Owner)
	}
}

func (c *channel) has(m *member) bool { return m != nil && slices.Contains(c.members, m) }

// remove takes m out.
func (c *channel) remove(m *member) {
	c.members = slices.DeleteFunc(slices.Clone(c.members), func(o *member) bool { return o == m })
	for _, other := range c.members {
		other.twin.CompareAndSwap(m, nil)
	}
	twin := m.twin.Load()
	if twin != nil {
		twin.elder = false
	}
	if c.owner == m {
		c.owner = twin
	}
	c.floor.CompareAndSwap(m, twin)
	c.audience.Store(newAudience(c.members))
}

// settle works out whether the first who sends becomes the owner.
func (c *channel) settle(a Access) {
	sent := c.owner != nil && c.rings.Load() != nil
	c.yields.Store(a.SendPassword == "" && (c.owner == nil || !c.private && !sent))
}

// ring returns what is kept of an SSRC; nil when nothing is.
func (c *channel) ring(ssrc uint32) *ring {
	if both := c.rings.Load(); both != nil {
		for _, r := range both {
			if r != nil && r.ssrc == ssrc {
				return r
			}
		}
	}
	return nil
}

// begin returns the ring for an SSRC, and makes it; nil when sources come too fast.
func (c *channel) begin(ssrc uint32, stream uint16, now int64) *ring {
	if r := c.ring(ssrc); r != nil {
		return r
	}
	if !c.ringAt.allow(now, ringEvery, 4) {
		return nil
	}
	next := [2]*ring{{ssrc: ssrc, from: stream}}
	if old := c.rings.Load(); old != nil {
		next[1] = old[0]
	}
	c.rings.Store(&next)
	return next[0]
}

// peers returns how many members may know of each other.
func (c *channel) peers() int {
	if c.private {
		return privatePeer
	}
	return publicPeers
}

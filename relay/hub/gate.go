package hub

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
)

// How long a proof lasts, and how many are kept. Members need no entry: their
// membership is their proof.
const (
	tokenSize   = 10    // base32 characters: 50 bits
	tokenEpoch  = 30e9  // ns; a token is good for one to two of them
	provenFor   = 60e9  // ns since the address was last heard
	proveEvery  = 300e9 // ns after which even one that is heard must prove itself again
	proveWithin = 15e9  // ns that it has for that
	echoWithin  = 10e9  // ns for which an echo opens an address that has a DTLS association
	maxProven   = 1 << 16
	maxNetworks = 1 << 14
	guessEvery  = 2e9 // ns for each wrong password of a network
	guessBurst  = 20
)

// gate knows which addresses proved themselves, and holds JOINs to their rates.
type gate struct {
	key [sha256.Size]byte

	mu       sync.Mutex
	proven   map[netip.AddrPort]*visitor
	networks map[netip.Prefix]*network
}

// visitor is an address that echoed its challenge.
type visitor struct {
	until    int64        // ns
	since    int64        // ns; of the proof
	unproven atomic.Bool  // it was let in without
	echoed   atomic.Int64 // ns; when it last echoed a challenge in the clear
	joins    pace
	talk     pace
}

// echoedLately reports whether it has just echoed a challenge in the clear.
func (v *visitor) echoedLately(now int64) bool {
	at := v.echoed.Load()
	return at != 0 && now-at <= echoWithin
}

// network is a /24 or a /56.
type network struct {
	joins, guesses, bindings pace
	known                    atomic.Int64 // ns until which members count as being in it
}

func newGate() *gate {
	g := &gate{proven: map[netip.AddrPort]*visitor{}, networks: map[netip.Prefix]*network{}}
	_, _ = rand.Read(g.key[:]) // it does not fail
	return g
}

// token is the challenge for an address; nothing is kept of it.
func (g *gate) token(a netip.AddrPort, epoch int64) string {
	var b [26]byte
	addr := a.Addr().As16()
	copy(b[:], addr[:])
	binary.BigEndian.PutUint16(b[16:], a.Port())
	binary.BigEndian.PutUint64(b[18:], uint64(epoch))
	mac := hmac.New(sha256.New, g.key[:])
	mac.Write(b[:])
	return base32.StdEncoding.EncodeToString(mac.Sum(nil)[:10])[:tokenSize]
}

// prove takes an echoed token.
func (g *gate) prove(a netip.AddrPort, token string, now int64) bool {
	epoch := now / tokenEpoch
	same := subtle.ConstantTimeCompare([]byte(token), []byte(g.token(a, epoch))) |
		subtle.ConstantTimeCompare([]byte(token), []byte(g.token(a, epoch-1)))
	if same != 1 {
		return false
	}
	g.trust(a, now).echoed.Store(now)
	return true
}

// trust takes an address as proved.
func (g *gate) trust(a netip.AddrPort, now int64) *visitor {
	g.mu.Lock()
	defer g.mu.Unlock()
	v := g.proven[a]
	if v == nil {
		g.makeRoom(now)
		v = new(visitor)
		g.proven[a] = v
	}
	v.since, v.until = now, now+provenFor
	v.unproven.Store(false)
	return v
}

// makeRoom forgets what is over, or else any: members do not depend on it.
func (g *gate) makeRoom(now int64) {
	if len(g.proven) < maxProven {
		return
	}
	g.forget(now)
	for a := range g.proven {
		if len(g.proven) < maxProven {
			return
		}
		delete(g.proven, a)
	}
}

// sweep forgets what is over.
func (g *gate) sweep(now int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forget(now)
	for p, n := range g.networks {
		if n.joins.next.Load() < now && n.guesses.next.Load() < now && n.known.Load() < now {
			delete(g.networks, p)
		}
	}
}

func (g *gate) forget(now int64) {
	for a, v := range g.proven {
		if v.until < now {
			delete(g.proven, a)
		}
	}
}

// visitor returns the entry of an address that proved itself, and renews it.
func (g *gate) visitor(a netip.AddrPort, now int64) *visitor {
	g.mu.Lock()
	defer g.mu.Unlock()
	v := g.proven[a]
	if v == nil || v.until < now || now-v.since > proveEvery {
		return nil
	}
	v.until = now + provenFor
	return v
}

// admit makes an address one that proved itself, without a proof.
func (g *gate) admit(a netip.AddrPort, now int64) *visitor {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.makeRoom(now)
	v := &visitor{since: now, until: now + provenFor}
	v.unproven.Store(true)
	g.proven[a] = v
	return v
}

// around is the network that an address counts as being in.
func around(a netip.Addr) netip.Prefix {
	bits := 56
	if a.Is4() {
		bits = 24
	}
	p, _ := a.Prefix(bits)
	return p
}

// known returns the network of an address if members are in it, or nil.
func (g *gate) known(a netip.Addr, now int64) *network {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := g.networks[around(a)]; n != nil && n.known.Load() >= now {
		return n
	}
	return nil
}

// network returns what is kept of an address's network; nil when there are too many.
func (g *gate) network(a netip.Addr) *network {
	p := around(a)
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.networks[p]
	if n == nil && len(g.networks) < maxNetworks {
		n = new(network)
		g.networks[p] = n
	}
	return n
}

package control

import (
	"crypto/sha256"
	"crypto/subtle"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// guard decides who may ask for what.
type guard struct {
	want  [sha256.Size]byte // of the key
	keyed bool
	own   string // this host's name, in lower case
	cross *http.CrossOriginProtection

	mu      sync.Mutex
	failed  map[netip.Prefix]failures
	refused uint64
	now     func() time.Time
}

// failures is a bucket that wrong keys fill and time empties.
type failures struct {
	count float64
	at    time.Time
}

// Wrong keys: so many at once, then one in so long, and addresses remembered.
const (
	maxFailures  = 5
	failureDrain = 10 * time.Second
	maxAddresses = 1024
)

func newGuard(key, host string) *guard {
	return &guard{
		want: sha256.Sum256([]byte(key)), keyed: key != "", own: strings.ToLower(host), cross: http.NewCrossOriginProtection(),
		failed: map[netip.Prefix]failures{}, now: time.Now,
	}
}

// knownHost reports whether a request's Host is an address, or a name that only
// this network gives out. A stranger's page can make a name of its own lead here,
// but not one of these.
func (g *guard) knownHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	short, _, _ := strings.Cut(g.own, ".")
	return host != "" && (host == "localhost" || strings.HasSuffix(host, ".local") || host == g.own || host == short)
}

// protect puts the checks in front of a route.
func (g *guard) protect(r route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if !r.open && !g.admit(w, q) {
			return
		}
		if r.method != http.MethodGet && !g.ownPage(w, q) {
			return
		}
		r.handle(w, q)
	})
}

// admit checks the key in the header and answers when that is wrong.
func (g *guard) admit(w http.ResponseWriter, r *http.Request) bool {
	if !g.keyed {
		return true
	}
	if g.blocked(r.RemoteAddr) {
		w.Header().Set("Retry-After", "10")
		fail(w, http.StatusTooManyRequests, "too many wrong keys from this address: wait ten seconds")
		return false
	}
	given, ok := bearer(r)
	if ok && g.check(given, r.RemoteAddr) {
		return true
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="tutti"`)
	why := "this speaker asks for the household key: send it as Authorization: Bearer KEY"
	if ok {
		why = "this is not the household key"
	}
	fail(w, http.StatusUnauthorized, why)
	return false
}

// bearer returns the key that a request carries.
func bearer(r *http.Request) (key string, ok bool) {
	scheme, key, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(key), ok && strings.EqualFold(scheme, "Bearer")
}

// check compares a key in constant time and counts a wrong one.
func (g *guard) check(given, from string) bool {
	sum := sha256.Sum256([]byte(given))
	if !g.keyed || subtle.ConstantTimeCompare(sum[:], g.want[:]) == 1 {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refused++
	now, who := g.now(), network(from)
	f, known := g.failed[who]
	if !known && len(g.failed) >= maxAddresses {
		g.forget(now)
	}
	g.failed[who] = failures{count: min(f.left(now)+1, maxFailures+1), at: now}
	return false
}

// blocked reports whether an address has sent too many wrong keys.
func (g *guard) blocked(from string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	f, known := g.failed[network(from)]
	return known && f.left(g.now()) >= maxFailures
}

// refusals counts wrong keys.
func (g *guard) refusals() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.refused
}

func (f failures) left(now time.Time) float64 {
	return max(0, f.count-now.Sub(f.at).Seconds()/failureDrain.Seconds())
}

// forget makes room: those that are long past, else the least of them.
func (g *guard) forget(now time.Time) {
	var least netip.Prefix
	lowest := float64(maxFailures + 2)
	for who, f := range g.failed {
		switch left := f.left(now); {
		case left == 0:
			delete(g.failed, who)
		case left < lowest:
			least, lowest = who, left
		}
	}
	if len(g.failed) >= maxAddresses {
		delete(g.failed, least)
	}
}

// network is what counts as one sender: an IPv4 address, or the 64 bits that an
// IPv6 host chooses the rest of.
func network(from string) netip.Prefix {
	a, err := netip.ParseAddrPort(from)
	if err != nil {
		return netip.Prefix{}
	}
	addr, bits := a.Addr().Unmap().WithZone(""), 64
	if addr.Is4() {
		bits = 32
	}
	p, _ := addr.Prefix(bits)
	return p
}

// ownPage refuses changes that a page of elsewhere makes a browser ask for: they
// carry its origin, or come as a form, which is not JSON.
func (g *guard) ownPage(w http.ResponseWriter, r *http.Request) bool {
	if g.cross.Check(r) != nil {
		fail(w, http.StatusForbidden, "a page of another site may not change this speaker")
		return false
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		fail(w, http.StatusUnsupportedMediaType, "send JSON, with Content-Type: application/json")
		return false
	}
	return true
}

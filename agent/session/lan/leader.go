package lan

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/internal/udp"
	"github.com/tutti-audio/tutti/ostp/control"
	"github.com/tutti-audio/tutti/sync/offset"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// leader is who is in charge of what a receiver hears: the sender or, where the stream
// comes from outside, the gateway of the house, which may change: its stand-by takes
// over in the middle of the stream. A leader is never changed, only replaced.
type leader struct {
	origin  netip.Addr
	server  unix.Sockaddr // its clock port
	source  string        // host:port of its HTTP
	term    uint32        // 0: no gateway
	leaving bool
	standBy control.StandBy
}

// newLeader returns the leader at an address.
func newLeader(origin netip.Addr, clock uint16, source string, term uint32) (*leader, error) {
	server, err := udp.Sockaddr(netip.AddrPortFrom(origin, clock))
	if err != nil {
		return nil, err
	}
	return &leader{origin: origin.Unmap().WithZone(""), server: server, source: source, term: term}, nil
}

// fromLeader and fromStandBy report whether a datagram came from there.
func (r *Receiver) fromLeader(from netip.AddrPort) bool {
	return from.Addr().Unmap().WithZone("") == r.leader.Load().origin
}

func (r *Receiver) fromStandBy(from netip.AddrPort) bool {
	standBy := r.leader.Load().standBy.Addr
	return standBy.IsValid() && from.Addr().Unmap().WithZone("") == standBy
}

// Source returns host:port of the HTTP of who is in charge.
func (r *Receiver) Source() string { return r.leader.Load().source }

// Gateway reports whether a gateway of the house is in charge, and who stands by.
func (r *Receiver) Gateway() (standBy netip.Addr, ok bool) {
	l := r.leader.Load()
	return l.standBy.Addr, l.term != 0
}

// heed takes in what a gateway's report says besides, also the first of one that takes
// over.
func (r *Receiver) heed(g *control.Gateway, from netip.AddrPort) {
	r.legs.Lock()
	defer r.legs.Unlock()
	now := r.leader.Load()
	next := *now
	switch {
	case now.term == 0 || g.Term < now.term:
		return
	case g.Term > now.term && r.fromStandBy(from):
		if now.standBy.Addr == r.local.WithZone("") { // we ourselves do
			return
		}
		origin := from.Addr().Unmap()
		l, err := newLeader(origin, now.standBy.Clock, netip.AddrPortFrom(origin, now.standBy.HTTP).String(), g.Term)
		if err != nil {
			return
		}
		r.config.Log.Info("another speaker is the gateway now", "address", origin, "before", now.origin)
		next = *l
	case g.Term > now.term || !r.fromLeader(from):
		return
	}
	for _, l := range g.Legs {
		r.course.Add(l)
	}
	next.leaving, next.standBy = g.Leaving, g.StandBy
	if next != *now {
		r.leader.Store(&next)
	}
	if next.term != now.term && r.subscribed.Load() { // it knows nothing of our copy
		r.askedAt.Store(0)
		r.wantCopy(tookOver)
	}
}

// streamTime returns how the stream's time runs, given how the house's does: of a
// sender they are one.
func (r *Receiver) streamTime(e offset.Estimate, at timebase.Local) offset.Estimate {
	if r.stream.Term == 0 {
		return e
	}
	r.legs.Lock()
	defer r.legs.Unlock()
	return e.Along(&r.course, at)
}

// Late returns by how much later the stream's time is at l, as far as the receiver knows,
// than what was taken for it.
func (r *Receiver) Late(l timebase.Local, taken timebase.House) time.Duration {
	e := r.Clock()
	if e.Samples == 0 {
		return 0
	}
	return r.streamTime(e, l).HouseAt(l).Sub(taken)
}

// untilBend returns how long it is until the stream's time bends, at most d.
func (r *Receiver) untilBend(at timebase.Local, d time.Duration) time.Duration {
	if r.stream.Term == 0 {
		return d
	}
	now := r.Clock().HouseAt(at)
	r.legs.Lock()
	defer r.legs.Unlock()
	if next, ok := r.course.Next(now); ok {
		return min(d, next.From.Sub(now)+time.Millisecond)
	}
	return d
}

// What makes a stand-by believe that the gateway is dead: no media for so long, or for
// so many packets, and then no answer to the time requests that it sends at once.
const (
	alarmAfter   = 40 * time.Millisecond
	alarmPackets = 3
	watchEvery   = 10 * time.Millisecond
	noAnswer     = 50 * time.Millisecond
	askedInVain  = 3 // times at least: this host itself may have stood still
)

// StandBy has the receiver watch the gateway closely, for one who takes over, or no
// more.
func (r *Receiver) StandBy(on bool) { r.standing.Store(on) }

// Gone reports that nobody is in charge any more: the gateway leaves without anybody
// who takes over, or, if this speaker stands by, it is dead.
func (r *Receiver) Gone() bool {
	l := r.leader.Load()
	if r.standing.Load() {
		return r.dead.Load() || l.leaving
	}
	return l.leaving && !l.standBy.Addr.IsValid()
}

// doubt follows, for a stand-by, whether the gateway lives; it reports whether to ask
// it for a sign. It belongs to the goroutine that asks for the time.
func (r *Receiver) doubt(now timebase.Local) bool {
	s := &r.stats
	packet := timebase.Media(r.stream.Frames).Duration()
	quiet := now.Sub(timebase.Local(s.lastMedia.Load())) > max(alarmAfter, alarmPackets*packet)
	if !r.standing.Load() || s.lastMedia.Load() == 0 || !quiet {
		s.doubted, s.inVain = 0, 0
		r.dead.Store(false)
		return false
	}
	if s.doubted == 0 {
		s.doubted = now
	}
	if s.answered > s.doubted {
		s.doubted, s.inVain = s.answered, 0
	}
	r.dead.Store(now.Sub(s.doubted) > noAnswer && s.inVain >= askedInVain)
	s.inVain++
	return true
}

// Reign returns what one who takes over must know.
func (r *Receiver) Reign() Reign {
	r.legs.Lock()
	defer r.legs.Unlock()
	return Reign{Term: r.leader.Load().term, Clock: r.Clock(), Legs: r.course.Latest(nil, control.MaxLegs)}
}

// OfferStandBy offers the gateway to stand by with g's ports, and reports whether this
// speaker is the one that does. Offer again every two seconds.
func (r *Receiver) OfferStandBy(ctx context.Context, o Offer) (bool, error) {
	body, err := json.Marshal(o)
	if err != nil {
		return false, err
	}
	status, answer, err := post(ctx, r.Source(), pathStandBy, body)
	switch {
	case err != nil:
		return false, err
	case status == http.StatusNoContent:
		return true, nil
	case status == http.StatusConflict:
		return false, nil
	}
	return false, fmt.Errorf("the gateway answers %d: %s", status, answer)
}

// post sends JSON to who is in charge.
func post(ctx context.Context, source, path string, body []byte) (status int, answer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address(source, path), bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, 300))
	return response.StatusCode, string(bytes.TrimSpace(text)), nil
}

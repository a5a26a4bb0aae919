package agent

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-audio/tutti/agent/discovery"
	"github.com/tutti-audio/tutti/agent/mode"
	"github.com/tutti-audio/tutti/agent/session/lan"
	"github.com/tutti-audio/tutti/agent/session/remote"
	"github.com/tutti-audio/tutti/internal/udp"
	"github.com/tutti-audio/tutti/ostp/describe"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// household is this speaker's part in a house that hears a stream from outside. One
// speaker, the gateway, fetches it once and is the sender for the others; one of the
// others stands by to take over. Nobody else decides that:
//
//   - Who plays a channel from outside and finds no gateway of it on the network becomes
//     the gateway: the fittest of those that are found after a second, else later. Of two
//     gateways the one of the later term stays, then the one of the lower ID.
//   - Who hears a gateway and could be one offers to stand by. The gateway takes one, and
//     says in its reports whom.
//   - The stand-by watches the gateway, and is a member at the relay that is sent
//     nothing. When the gateway dies or leaves, it goes on with the same clock and the
//     same course; the others follow it within the stream.
//
// It belongs to the supervisor, except that what is atomic may be read by any.
type household struct {
	speaker *Speaker
	channel string
	fitness int // 0: takes no part

	active atomic.Pointer[lan.Gateway] // not nil: this speaker is the gateway
	mates  atomic.Bool                 // others could be
	leaves atomic.Bool                 // it is the gateway of those alone who have not found another way yet

	gateway  *lan.Gateway // ports, in charge or not
	server   *http.Server
	service  *discovery.Announcement
	former   session // that was taken over from
	since    timebase.Local
	failing  timebase.Local // since when whoever is found on the network cannot be heard; 0: can
	heard    timebase.Local // when there last was something to pass on
	told     timebase.Local // when the house was last told who is in charge
	offered  timebase.Local
	offering atomic.Bool
	standing atomic.Bool
	cancel   context.CancelFunc // of what offers
	wait     sync.WaitGroup
}

const (
	electAfter  = time.Second     // for the fittest
	electLater  = 4 * time.Second // for the others
	nothingFor  = 3 * time.Second // to pass on: no gateway any more
	offerEvery  = 2 * time.Second
	tellEvery   = 5 * time.Second       // who is in charge, while another may think that it is
	remembered  = 30 * time.Second      // that there were others, after the start
	watchStream = 10 * time.Millisecond // how often a stand-by looks

	// takeOverIn is how long a stand-by takes, besides two round trips, to notice, to ask
	// for the stream and for what is missing of it, and to pass it on.
	takeOverIn = 160 * time.Millisecond
	queued     = 60 * time.Millisecond // in the speakers' devices
)

// newHousehold returns the part of a speaker that plays the channel.
func newHousehold(s *Speaker, channel string) *household {
	h := &household{speaker: s, channel: channel}
	if s.config.Gateway && s.relay != nil && channel != "" && s.node != nil && s.config.Source == "" {
		h.fitness = fitness(s.config.Interface)
	}
	h.look()
	return h
}

// relayTag tells relays apart without naming them to the network.
func relayTag(e *remote.Endpoint) string {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(strings.ToLower(e.String())))
	return strconv.FormatUint(uint64(sum.Sum32()), 16)
}

// fitness says how fit this host is to be a gateway: one with a cable is fitter.
func fitness(name string) int {
	ifi, _, err := udp.Multicast(name)
	if err != nil {
		return 1
	}
	if _, err := os.Stat(filepath.Join("/sys/class/net", ifi.Name, "phy80211")); err == nil {
		return 1
	}
	return 2
}

// counts says which other gateways matter: to one that is none, all that know the relay
// that this speaker does; a channel of that name at another relay is another channel.
func (h *household) counts(other describe.Announced) bool {
	if other.ID == h.speaker.state.ID || h.speaker.relay != nil && other.Relay != relayTag(h.speaker.relay) {
		return false
	}
	g := h.active.Load()
	return g == nil || h.leaves.Load() || outranks(other, h.own(g))
}

// own is this gateway as others find it.
func (h *household) own(g *lan.Gateway) describe.Announced {
	return describe.Announced{ID: h.speaker.state.ID, Channel: h.channel, Term: g.Term(), Relay: relayTag(h.speaker.relay)}
}

// self is this speaker as its house sees it.
func (h *household) self() candidate {
	return candidate{id: h.speaker.state.ID, channel: h.channel, relay: relayTag(h.speaker.relay), fitness: h.fitness}
}

// tend does what is to be done now.
func (h *household) tend(ctx context.Context, l *listening, now timebase.Local) {
	if h.fitness == 0 {
		return
	}
	h.look()
	switch {
	case h.active.Load() != nil:
		h.reign(l, now)
	case l.outside() != nil:
		h.elect(l, now)
	default:
		h.since = 0
		h.assist(ctx, l, now)
	}
}

// pace is how often to look.
func (h *household) pace() time.Duration {
	if h.standing.Load() {
		return watchStream
	}
	return looking
}

// noneOnLAN takes in that nobody could be heard on the network, though found.
func (h *household) noneOnLAN(now timebase.Local) {
	if h.failing == 0 {
		h.failing = now
	}
}

// outside returns the session from outside that leads, or nil.
func (l *listening) outside() *remote.Receiver {
	if l.lead == mode.None || l.lead == mode.LAN {
		return nil
	}
	r, _ := l.ways[l.lead].session.(*remote.Receiver)
	return r
}

// elect makes this speaker the gateway when it has played from outside for long enough
// and there is none.
func (h *household) elect(l *listening, now timebase.Local) {
	r := l.outside()
	found := l.possible(mode.LAN) && (h.failing == 0 || now.Sub(h.failing) < nothingFor)
	if idle, playing, _ := r.Way(); !playing || idle > mode.Lost || found {
		h.since = 0
		return
	}
	if h.since == 0 {
		h.since = now
	}
	after := electLater
	if h.speaker.nearby.fittest(h.self()) {
		after = electAfter
	}
	if now.Sub(h.since) < after {
		return
	}
	h.since = now // again then, should it fail
	h.begin(lan.Reign{Term: h.speaker.nearby.term(h.channel)}, r.Stream(), now)
}

// begin makes this speaker the gateway.
func (h *household) begin(r lan.Reign, stream describe.Stream, now timebase.Local) {
	if err := h.open(stream); err != nil {
		h.speaker.log.Warn("this speaker cannot pass the stream on to the house", "error", err)
		return
	}
	h.gateway.Begin(r)
	h.heard, h.told = now, now
	h.leaves.Store(false)
	h.active.Store(h.gateway)
	d := h.gateway.Stream()
	h.speaker.log.Info("this speaker is the gateway of the house", "channel", h.channel, "term", d.Term, "group", d.Group)
	service := discovery.Service{
		Instance: shortName(d.Channel + " via " + h.speaker.name()), Type: describe.ServiceType, Port: d.Port,
		Text: h.text(h.gateway),
	}
	var err error
	if h.service, err = h.speaker.node.Announce(service); err != nil {
		h.speaker.log.Warn("the other speakers cannot find this gateway", "error", err)
	}
}

// text is what is announced of a gateway.
func (h *household) text(g *lan.Gateway) map[string]string {
	d := g.Stream()
	text := d.Text(h.speaker.state.ID, h.speaker.name(), h.speaker.version)
	text["relay"] = relayTag(h.speaker.relay)
	return text
}

// open opens the ports of a gateway, if they are not.
func (h *household) open(stream describe.Stream) error {
	if h.gateway != nil {
		return nil
	}
	s := h.speaker
	listener, err := net.Listen("tcp", ":0")
	if err != nil {
		return fmt.Errorf("no port for the description: %w", err)
	}
	g, err := lan.NewGateway(lan.GatewayConfig{
		Stream: stream, Interface: s.config.Interface, HTTP: uint16(listener.Addr().(*net.TCPAddr).Port), Clock: s.clock, Log: s.log,
	})
	if err != nil {
		listener.Close()
		return err
	}
	h.gateway = g
	h.server = descriptionServer(g.Handler())
	h.wait.Go(func() {
		if err := h.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("the description is no longer served to the house", "error", err)
		}
	})
	return nil
}

// close ends this speaker's part and closes the ports. ended says that the stream has
// ended with it.
func (h *household) close(ended bool) {
	if h.gateway == nil {
		return
	}
	if h.cancel != nil {
		h.cancel()
	}
	if h.service != nil {
		_ = h.service.Close()
	}
	h.gateway.Close(ended)
	h.active.Store(nil)
	_ = h.server.Close()
	h.wait.Wait()
	h.gateway, h.server, h.service, h.former, h.cancel, h.since = nil, nil, nil, nil, nil, 0
	h.standing.Store(false)
}

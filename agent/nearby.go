package agent

import (
	"maps"
	"net/netip"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/agent/discovery"
	"github.com/tutti-audio/tutti/ostp/describe"
)

// nearby is the sources and speakers that discovery has found.
type nearby struct {
	mu       sync.Mutex
	sources  map[string]station // by instance and link
	speakers map[string]speakerNearby
	news     func()
}

// speakerNearby is a speaker, and what it is to its house.
type speakerNearby struct {
	control.Peer
	candidate
}

// candidate is a speaker that could be the gateway of its house.
type candidate struct {
	id, channel string
	relay       string // a tag
	fitness     int    // 0: it could not
}

// rivals reports whether both could be the gateway of one house.
func (c candidate) rivals(other candidate) bool {
	return c.id != other.id && c.channel == other.channel && c.relay == other.relay && other.fitness > 0
}

type station struct {
	describe.Announced
	address string   // host:port of its HTTP: the first of
	all     []string // its addresses
	order   int
}

func newNearby(news func()) *nearby {
	return &nearby{sources: map[string]station{}, speakers: map[string]speakerNearby{}, news: news}
}

// follow takes discovery's events in until the channel is closed.
func (n *nearby) follow(events <-chan discovery.Event) {
	order := 0
	for event := range events {
		order++
		n.take(event, order)
		n.news()
	}
}

func (n *nearby) take(event discovery.Event, order int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	e := event.Entry
	key := e.Instance + "\x00" + e.Interface
	if event.Kind == discovery.Removed || len(e.Addrs) == 0 {
		delete(n.sources, key)
		delete(n.speakers, key)
		return
	}
	if a, ok := describe.ParseText(e.Text); ok {
		st := station{Announced: a, order: order}
		for _, addr := range e.Addrs {
			st.all = append(st.all, netip.AddrPortFrom(addr.Addr(), a.HTTP).String())
		}
		st.address = st.all[0]
		n.sources[key] = st
	}
	if e.Text["role"] == describe.RoleSpeaker {
		port, err := strconv.ParseUint(e.Text["http"], 10, 16)
		if err == nil {
			fitness, _ := strconv.Atoi(e.Text["gateway"])
			n.speakers[key] = speakerNearby{
				control.Peer{ID: e.Text["id"], Name: e.Instance, Room: e.Text["room"], Channel: e.Text["channel"],
					Version: e.Text["ver"], Address: netip.AddrPortFrom(e.Addrs[0].Addr(), uint16(port)).String()},
				candidate{id: e.Text["id"], channel: e.Text["channel"], relay: e.Text["relay"], fitness: fitness},
			}
		}
	}
}

// addresses returns where the sources of a channel are, or of the channel that was
// found first; those that were found first come first. Where there are none, it is the
// gateways that pass the channel on, the one in charge first. Of these only those that
// count are meant; nil: all.
func (n *nearby) addresses(channel string, counts func(gateway describe.Announced) bool) (all []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	found := slices.SortedFunc(maps.Values(n.sources), func(a, b station) int {
		switch {
		case a.Term == 0 && b.Term == 0:
			return a.order - b.order
		case a.Term == 0 || b.Term != 0 && outranks(a.Announced, b.Announced):
			return -1
		}
		return 1
	})
	term := uint32(0)
	for _, s := range found {
		if s.Term != 0 && counts != nil && !counts(s.Announced) {
			continue
		}
		if channel == "" {
			channel = s.Channel
		}
		if s.Channel != channel || slices.Contains(all, s.address) {
			continue
		}
		if len(all) == 0 {
			term = s.Term
		}
		if s.Term == 0 || term != 0 {
			all = append(all, s.address)
		}
	}
	if term != 0 { // the others are of no use: they have been succeeded, or will leave
		all = all[:1]
	}
	return all
}

// hasSource reports whether a source of the channel itself is on the network.
func (n *nearby) hasSource(channel string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.sources {
		if s.Channel == channel && s.Term == 0 {
			return true
		}
	}
	return false
}

// outranks reports whether of two gateways of a channel a is the one that stays: the
// later to take over, or the lower ID.
func outranks(a, b describe.Announced) bool {
	if a.Term != b.Term {
		return a.Term > b.Term
	}
	return a.ID < b.ID
}

// outranked reports whether a gateway of the channel that a outranks is, or was of late,
// on the network.
func (n *nearby) outranked(a describe.Announced) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.sources {
		if s.Channel == a.Channel && s.Term != 0 && s.ID != a.ID && s.Relay == a.Relay && outranks(a, s.Announced) {
			return true
		}
	}
	return false
}

// term returns the latest term of a channel's gateways.
func (n *nearby) term(channel string) (term uint32) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.sources {
		if s.Channel == channel {
			term = max(term, s.Term)
		}
	}
	return term
}

// others reports whether there is a rival of c.
func (n *nearby) others(c candidate) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.speakers {
		if c.rivals(p.candidate) {
			return true
		}
	}
	return false
}

// fittest reports whether no rival is fitter than c.
func (n *nearby) fittest(c candidate) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.speakers {
		if c.rivals(p.candidate) && (p.fitness > c.fitness || p.fitness == c.fitness && p.id < c.id) {
			return false
		}
	}
	return true
}

// ssrcAt returns the stream that a source at the address announces.
func (n *nearby) ssrcAt(address string) (ssrc uint32, known bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.sources {
		if slices.Contains(s.all, address) {
			return s.SSRC, true
		}
	}
	return 0, false
}

// movedTo returns where a stream is announced when that is no more where it was
// joined.
func (n *nearby) movedTo(ssrc uint32, address string) (now string, moved bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.sources {
		if s.SSRC != ssrc {
			continue
		}
		if slices.Contains(s.all, address) {
			return address, false
		}
		now, moved = s.address, true
	}
	return now, moved
}

// doubtful returns what is announced at an address where nobody answers, and the other
// gateways of its channel: one of them may have taken over without this host hearing it.
func (n *nearby) doubtful(address string) (instances []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	channels := map[string]bool{}
	for _, s := range n.sources {
		if slices.Contains(s.all, address) {
			channels[s.Channel] = true
		}
	}
	for key, s := range n.sources {
		if slices.Contains(s.all, address) || s.Term != 0 && channels[s.Channel] {
			instance, _, _ := strings.Cut(key, "\x00")
			instances = append(instances, instance)
		}
	}
	return instances
}

// forget drops a source that said goodbye, before discovery notices.
func (n *nearby) forget(address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for key, s := range n.sources {
		if slices.Contains(s.all, address) {
			delete(n.sources, key)
		}
	}
}

// listSources returns the sources, one for each address, by channel.
func (n *nearby) listSources() []control.Source {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := []control.Source{}
	seen := map[string]bool{}
	for _, s := range n.sources {
		if !seen[s.address] {
			seen[s.address] = true
			all = append(all, control.Source{Channel: s.Channel, Name: s.Name, Via: s.Via, Address: s.address, Codec: s.Codec.String(), LatencyMS: float64(s.Latency.Microseconds()) / 1000})
		}
	}
	sort.Slice(all, func(i, j int) bool {
		return all[i].Channel < all[j].Channel || all[i].Channel == all[j].Channel && all[i].Address < all[j].Address
	})
	return all
}

// listSpeakers returns the speakers, one for each ID, by name.
func (n *nearby) listSpeakers() []control.Peer {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := []control.Peer{}
	seen := map[string]bool{}
	for _, p := range n.speakers {
		if !seen[p.ID] {
			seen[p.ID] = true
			all = append(all, p.Peer)
		}
	}
	sort.Slice(all, func(i, j int) bool {
		return all[i].Name < all[j].Name || all[i].Name == all[j].Name && all[i].ID < all[j].ID
	})
	return all
}

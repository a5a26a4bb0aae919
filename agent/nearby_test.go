package agent

import (
	"net/netip"
	"slices"
	"strconv"
	"testing"

	"github.com/tutti-audio/tutti/agent/discovery"
	"github.com/tutti-audio/tutti/ostp/describe"
)

// found is a network with these sources and gateways of channel far: IDs, and terms of
// the gateways.
func found(t *testing.T, entries ...[2]string) *nearby {
	t.Helper()
	n := newNearby(func() {})
	for i, e := range entries {
		d := describe.Stream{Channel: "far", Name: "source", SSRC: 7, Codec: 96, Channels: 2, HTTP: 8000 + uint16(i)}
		if e[1] != "" {
			term, err := strconv.Atoi(e[1])
			if err != nil {
				t.Fatal(err)
			}
			d.Term = uint32(term)
		}
		n.take(discovery.Event{Entry: discovery.Entry{Instance: e[0], Interface: "eth0", Text: d.Text(e[0], "room", "1"),
			Addrs: []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(1 + i)}), 5004)}}}, i)
	}
	return n
}

// The source itself is heard rather than a gateway, and of gateways the one in charge.
func TestWhoIsHeard(t *testing.T) {
	for _, test := range []struct {
		what    string
		entries [][2]string
		counts  func(describe.Announced) bool
		want    []string
	}{
		{"a gateway", [][2]string{{"a", "1"}}, nil, []string{"10.0.0.1:8000"}},
		{"the later term", [][2]string{{"a", "1"}, {"c", "3"}, {"b", "2"}}, nil, []string{"10.0.0.2:8001"}},
		{"the lower ID of one term", [][2]string{{"b", "1"}, {"a", "1"}}, nil, []string{"10.0.0.2:8001"}},
		{"the source", [][2]string{{"a", "9"}, {"s", ""}}, nil, []string{"10.0.0.2:8001"}},
		{"both sources", [][2]string{{"s", ""}, {"a", "9"}, {"r", ""}}, nil, []string{"10.0.0.1:8000", "10.0.0.3:8002"}},
		{"none that does not count", [][2]string{{"a", "1"}, {"b", "1"}}, func(a describe.Announced) bool { return a.ID != "a" }, []string{"10.0.0.2:8001"}},
	} {
		n := found(t, test.entries...)
		if got := n.addresses("far", test.counts); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.what, got, test.want)
		}
		if n.addresses("near", nil) != nil {
			t.Errorf("%s: another channel has an address", test.what)
		}
	}
	n := found(t, [2]string{"a", "1"}, [2]string{"b", "4"})
	if n.term("far") != 4 || n.hasSource("far") || !found(t, [2]string{"s", ""}).hasSource("far") {
		t.Errorf("term %d, source %v", n.term("far"), n.hasSource("far"))
	}
}

// The fittest speaker of the channel is the one with a cable, then the lower ID.
func TestFittest(t *testing.T) {
	n := newNearby(func() {})
	for i, s := range [][4]string{{"b", "far", "1", "r"}, {"c", "far", "2", "r"}, {"d", "far", "2", "r"}, {"a", "near", "2", "r"}, {"0", "far", "0", "r"}, {"1", "far", "2", "other"}} {
		n.take(discovery.Event{Entry: discovery.Entry{Instance: s[0], Text: map[string]string{"role": describe.RoleSpeaker, "id": s[0], "channel": s[1], "gateway": s[2], "relay": s[3], "http": "8400"},
			Addrs: []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(1 + i)}), 5004)}}}, i)
	}
	for id, want := range map[string]bool{"b": false, "c": true, "d": false} {
		fit := map[string]int{"b": 1, "c": 2, "d": 2}[id]
		c := candidate{id: id, channel: "far", relay: "r", fitness: fit}
		if n.fittest(c) != want || !n.others(c) {
			t.Errorf("%s: %v", id, !want)
		}
	}
	if n.others(candidate{id: "1", channel: "far", relay: "other", fitness: 2}) {
		t.Error("who knows another relay is of another house")
	}
}

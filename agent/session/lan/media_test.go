package lan

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/describe"
)

// Sequences of strangers change no statistics; a stream that leaps is followed
// from its second packet on.
func TestFollow(t *testing.T) {
	r := new(Receiver)
	next := uint32(0xFFFFFF00) // wraps on the way
	for n := range 1000 {
		if !r.follow(next) {
			t.Fatalf("packet %d was not believed", n)
		}
		next++
		for _, far := range []uint32{next + 1<<20, next - 1<<30, next + 4000, next - 2000} {
			if r.follow(far) {
				t.Fatalf("sequence %d was believed beside %d", far, next)
			}
		}
	}
	r.stats.received.Store(990)
	fraction, lost, _, expected := r.loss()
	if expected != 1000 || lost != 10 || fraction != 2 {
		t.Errorf("expected %d, lost %d, %d/256; want 1000, 10, 2", expected, lost, fraction)
	}
	if r.follow(next+100_000) || !r.follow(next+100_001) || !r.follow(next+100_002) {
		t.Error("a leap is not followed from its second packet on")
	}
	if r.follow(next) {
		t.Error("what was before the leap is still believed")
	}
}

func TestWrongSize(t *testing.T) {
	for _, test := range []struct {
		kind ostp.PayloadType
		n    int
		want bool
	}{
		{ostp.PCM16, 960, false}, {ostp.PCM16, 959, true}, {ostp.PCM16, 0, true}, {ostp.PCM16, 12288, true},
		{ostp.PCM24, 1440, false}, {ostp.PCM24, 960, true}, {ostp.Opus, 1, false}, {ostp.Opus, 0, true},
	} {
		r := &Receiver{stream: describe.Stream{Codec: test.kind, Frames: 240, Channels: 2}}
		if got := r.wrongSize(test.n); got != test.want {
			t.Errorf("%d bytes of %v: %v, want %v", test.n, test.kind, got, test.want)
		}
	}
}

func TestFromLeader(t *testing.T) {
	for _, test := range []struct {
		origin, from string
		want         bool
	}{
		{"10.0.0.1", "10.0.0.1:9", true}, {"10.0.0.1", "[::ffff:10.0.0.1]:9", true}, {"10.0.0.1", "10.0.0.2:9", false},
		{"fe80::1%eth0", "[fe80::1%eth0]:9", true}, {"fe80::1%eth0", "[fe80::2%eth0]:9", false},
	} {
		l, err := newLeader(netip.MustParseAddr(test.origin), 5006, "", 0)
		if err != nil && !strings.Contains(test.origin, "%") { // there is no such interface here
			t.Fatal(err)
		}
		if l == nil {
			l = &leader{origin: netip.MustParseAddr(test.origin).WithZone("")}
		}
		r := &Receiver{}
		r.leader.Store(l)
		if got := r.fromLeader(netip.MustParseAddrPort(test.from)); got != test.want {
			t.Errorf("%s from %s: %v", test.origin, test.from, got)
		}
	}
}

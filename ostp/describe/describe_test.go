package describe

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/sync/course"
	"github.com/tutti-audio/tutti/sync/timebase"
)

func example() *Stream {
	return &Stream{
		Channel: "house/kitchen", Name: "Büro", Tags: Tags{Title: "A title\nof two lines", Artist: "Someone", Artwork: true},
		SSRC: 0xDEADBEEF, StreamID: 77, Codec: ostp.PCM24, Channels: 2, Frames: 240,
		Origin: netip.MustParseAddr("192.168.7.3"), Group: netip.MustParseAddr("239.69.0.1"),
		Port: 5004, RTCP: 5005, Clock: 5006, HTTP: 8401, Latency: 40 * time.Millisecond,
		Epoch: 1_763_800_000_123_000_000, Offset: 0x89ABCDEF,
	}
}

func TestSDPRoundTrip(t *testing.T) {
	v6 := example()
	v6.Origin, v6.Group = netip.MustParseAddr("fe80::1"), netip.MustParseAddr("ff05::4f53")
	gateway := example()
	gateway.Term, gateway.Leg = 2, course.Leg{From: gateway.Epoch + 1, Stream: gateway.Epoch - 77, Drift: -12e-6}
	for _, want := range []*Stream{example(), v6, gateway} {
		b, err := AppendSDP(nil, want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseSDP(b)
		if err != nil {
			t.Fatalf("%v in\n%s", err, b)
		}
		want.Tags.Title = strings.ReplaceAll(want.Tags.Title, "\n", " ")
		if d := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
			t.Errorf("-want +got\n%s", d)
		}
	}
}

// TestMediaClock checks RFC 7273: RTP time = direct offset + house time × rate.
func TestMediaClock(t *testing.T) {
	s := example()
	h := s.Epoch.Add(3 * time.Hour)
	want := s.Offset + uint32(s.MediaAt(h))
	if got := s.direct() + uint32(timebase.Frames(time.Duration(h))); got != want {
		t.Errorf("RTP time by mediaclk %d, by the packets %d", got, want)
	}
	if back := s.HouseAt(s.MediaAt(h)); back != h {
		t.Errorf("frame of %d leaves at %d", h, back)
	}
}

func TestRefusals(t *testing.T) {
	b, _ := AppendSDP(nil, example())
	for _, change := range [][2]string{
		{"ostp-frames:240", "ostp-frames:961"}, {"pcm24/48000/2", "pcm24/48000/9"}, {"s=house/kitchen", "s=../etc"},
		{"ostp-latency:40000", "ostp-latency:99000000"}, {"m=audio 5004", "m=audio 0"}, {"ostp-epoch:1763800000123000000", "ostp-epoch:12345"},
		{"a=ostp-clock:5006\r\n", ""}, {"192.168.7.3", "house"},
	} {
		if bad := strings.ReplaceAll(string(b), change[0], change[1]); bad == string(b) {
			t.Errorf("%q is not in the description", change[0])
		} else if _, err := ParseSDP([]byte(bad)); err == nil {
			t.Errorf("%q instead of %q is accepted", change[1], change[0])
		}
	}
}

func TestText(t *testing.T) {
	s := example()
	a, ok := ParseText(s.Text("id", "Kitchen", "1.0"))
	if !ok || a.Channel != s.Channel || a.SSRC != s.SSRC || a.HTTP != s.HTTP || a.Latency != s.Latency || a.Codec != s.Codec {
		t.Errorf("%+v, %v", a, ok)
	}
	if _, ok := ParseText(map[string]string{"role": "speaker"}); ok {
		t.Error("a speaker is taken for a source")
	}
}

func FuzzParseSDP(f *testing.F) {
	b, _ := AppendSDP(nil, example())
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseSDP(b)
		if err != nil {
			return
		}
		if _, err := AppendSDP(nil, s); err != nil {
			t.Fatalf("%+v cannot be written again: %v", s, err)
		}
	})
}

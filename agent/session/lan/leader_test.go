package lan

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/ostp/control"
	"github.com/tutti-audio/tutti/ostp/describe"
	"github.com/tutti-audio/tutti/sync/course"
	"github.com/tutti-audio/tutti/sync/offset"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const houseNow = timebase.House(1_790_000_000_000_000_000)

// newHeard is a receiver of a gateway at 10.0.0.1 whose stand-by is at 10.0.0.2.
func newHeard(t *testing.T) *Receiver {
	t.Helper()
	r := &Receiver{local: netip.MustParseAddr("10.0.0.9"), config: ReceiverConfig{Log: slog.New(slog.DiscardHandler)}}
	l, err := newLeader(netip.MustParseAddr("10.0.0.1"), 5006, "10.0.0.1:80", 1)
	if err != nil {
		t.Fatal(err)
	}
	r.stream.Term = 1
	r.leader.Store(l)
	r.estimate.Store(&offset.Estimate{At: 0, House: houseNow, Samples: 9})
	r.heed(&control.Gateway{Term: 1, Legs: legs(0), StandBy: control.StandBy{Addr: netip.MustParseAddr("10.0.0.2"), Clock: 6006, HTTP: 81}}, from("10.0.0.1"))
	return r
}

func from(addr string) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr(addr), 5004) }

// legs are two, of a stream that is a second behind the house.
func legs(after time.Duration) []course.Leg {
	at := houseNow.Add(after)
	return []course.Leg{{From: at, Stream: at - 1e9}, {From: at + 250e6, Stream: at - 1e9 + 250e6, Drift: 40e-6}}
}

// Only the gateway's stand-by may take over, and only with a later term; what an older
// gateway says from then on is nobody's business.
func TestTakeOver(t *testing.T) {
	r := newHeard(t)
	next := &control.Gateway{Term: 2, Legs: legs(time.Second)}
	for _, test := range []struct {
		what, from, want string
		g                *control.Gateway
	}{
		{"a stranger of a later term", "10.0.0.3", "10.0.0.1", next},
		{"the stand-by of the same term", "10.0.0.2", "10.0.0.1", &control.Gateway{Term: 1, Legs: legs(0)}},
		{"the gateway of a later term", "10.0.0.1", "10.0.0.1", &control.Gateway{Term: 5, Legs: legs(0)}},
		{"the stand-by", "10.0.0.2", "10.0.0.2", next},
		{"the gateway before", "10.0.0.1", "10.0.0.2", &control.Gateway{Term: 1, Leaving: true, Legs: legs(0)}},
	} {
		r.heed(test.g, from(test.from))
		if l := r.leader.Load(); l.origin.String() != test.want {
			t.Fatalf("%s: %v is in charge, want %s", test.what, l.origin, test.want)
		}
	}
	if l := r.leader.Load(); l.term != 2 || l.source != "10.0.0.2:81" || l.leaving || l.standBy.Addr.IsValid() {
		t.Errorf("%+v", l)
	}
	if standBy, ok := r.Gateway(); !ok || standBy.IsValid() {
		t.Errorf("%v stands by", standBy)
	}
	own := newHeard(t)
	own.local = netip.MustParseAddr("10.0.0.2")
	if own.heed(next, from("10.0.0.2")); own.leader.Load().term != 1 {
		t.Error("a stand-by that took over follows itself")
	}
}

// astray is a player that takes its presentation for later than it was.
type astray struct{ Sink }

func (astray) Report(r *control.Receiver, _ *describe.Stream) timebase.Local {
	r.PresentedAt, r.PresentedRTP = houseNow.Add(time.Hour), 480
	return timebase.Local(100 * time.Millisecond)
}

// When something was presented is told by the house's clock, not by what the player
// takes for it.
func TestPresentedAt(t *testing.T) {
	r := newHeard(t)
	r.config.Sink = astray{}
	if got := r.account(); got.PresentedAt != houseNow.Add(100*time.Millisecond) || got.PresentedRTP != 480 {
		t.Errorf("%v after house time, frame %g", got.PresentedAt.Sub(houseNow), got.PresentedRTP)
	}
}

// The stream's time bends where the legs do.
func TestStreamTime(t *testing.T) {
	r := newHeard(t)
	for _, after := range []time.Duration{0, 100 * time.Millisecond, 300 * time.Millisecond} {
		at := timebase.Local(after)
		e := r.streamTime(r.Clock(), at)
		want := houseNow.Add(after) - 1e9
		if after > 250*time.Millisecond {
			want += timebase.House(float64(after-250*time.Millisecond) * 40e-6)
		}
		if off := e.HouseAt(at).Sub(want).Abs(); off > 2 {
			t.Errorf("after %v off by %v", after, off)
		}
		if late := r.Late(at, want.Add(-time.Millisecond)); (late - time.Millisecond).Abs() > 2 {
			t.Errorf("after %v taken for %v later", after, late)
		}
	}
	if d := r.untilBend(timebase.Local(200*time.Millisecond), time.Second); d < 50*time.Millisecond || d > 52*time.Millisecond {
		t.Errorf("it bends in %v, want 50 ms", d)
	}
}

// A stand-by takes a quiet gateway for dead only when it does not answer either.
func TestDoubt(t *testing.T) {
	r := newHeard(t)
	r.stream.Frames = 240
	ms := func(n int) timebase.Local { return timebase.Local(n) * timebase.Local(time.Millisecond) }
	r.stats.lastMedia.Store(int64(ms(1000)))
	r.StandBy(true)
	if r.doubt(ms(1030)) || r.Gone() {
		t.Error("30 ms without media are no reason to doubt")
	}
	for n := 1050; n < 1300; n += 10 { // it answers, though no media comes from outside
		r.stats.answered = ms(n - 5)
		if !r.doubt(ms(n)) || r.Gone() {
			t.Fatalf("after %d ms a gateway that answers is taken for dead", n-1000)
		}
	}
	if r.doubt(ms(1400)); r.Gone() {
		t.Error("it was asked only once: this host itself stood still")
	}
	r.stats.answered = ms(1401)
	for n := 1405; n < 1451; n += 10 {
		if r.doubt(ms(n)); r.Gone() {
			t.Errorf("%d ms without an answer are too few", n-1401)
		}
	}
	if r.doubt(ms(1455)); !r.Gone() {
		t.Error("no media, no answer: it is dead")
	}
	r.stats.lastMedia.Store(int64(ms(1456)))
	if r.doubt(ms(1460)); r.Gone() {
		t.Error("media comes again")
	}
	r.StandBy(false)
	r.heed(&control.Gateway{Term: 1, Leaving: true, Legs: legs(0)}, from("10.0.0.1"))
	if !r.Gone() {
		t.Error("it leaves and nobody stands by")
	}
}

package control

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/sync/timebase"
)

const now = timebase.House(1_763_800_000_123_456_789)

func TestSenderRoundTrip(t *testing.T) {
	want := Sender{SSRC: 7, House: now, Timestamp: 99, Packets: 3, Octets: 4, Name: "source", Note: "Someone – Something"}
	b, err := AppendSender(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(b, now)
	if err != nil || got.Sender == nil || *got.Sender != want {
		t.Errorf("%+v, %v", got.Sender, err)
	}
}

func TestReceiverRoundTrip(t *testing.T) {
	want := Receiver{SSRC: 1, Stream: 2, ID: "id", Name: "Küche", FractionLost: 3, Lost: 4, HighestSequence: 5, Jitter: 6,
		Health: Health{Playing: true, Unicast: true, Volume: 80, Late: -1234, Bound: 56789, PPM: -150.25, Latency: 40 * time.Millisecond,
			Trim: -100 * time.Microsecond, LostPackets: 9, ConcealedFrames: 10, Margin: 7 * time.Millisecond}}
	b, err := AppendReport(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(b, now)
	if err != nil || got.Receiver == nil || *got.Receiver != want {
		t.Errorf("%+v, %v", got.Receiver, err)
	}
}

// TestIDMSPrecision: what a standard reader learns is right to 0.2 µs, though the
// wire counts in 15 µs.
func TestIDMSPrecision(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	worst := 0.0
	for range 2000 {
		r := Receiver{SSRC: 1, Stream: 2, PresentedAt: now + timebase.House(rng.Int64N(3600e9)), PresentedRTP: rng.Float64() * (1 << 32)}
		b, err := AppendReport(nil, r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(b, now)
		if err != nil {
			t.Fatal(err)
		}
		ticks := math.Mod(got.Receiver.PresentedRTP-r.PresentedRTP+(1<<32)*1.5, 1<<32) - (1<<32)/2
		elapsed := got.Receiver.PresentedAt.Sub(r.PresentedAt).Seconds()
		worst = max(worst, math.Abs(elapsed-ticks/48000))
	}
	t.Logf("worst %.3f µs", worst*1e6)
	if worst > 0.2e-6 {
		t.Errorf("the IDMS report is off by %.3f µs, want at most 0.2", worst*1e6)
	}
}

func TestGoodbye(t *testing.T) {
	b, _ := AppendGoodbye(nil, 42)
	if got, err := Parse(b, now); err != nil || len(got.Goodbye) != 1 || got.Goodbye[0] != 42 {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzParse(f *testing.F) {
	b, _ := AppendReport(nil, Receiver{SSRC: 1, Stream: 2, PresentedAt: now, ID: "id"})
	f.Add(b)
	b, _ = AppendSender(nil, Sender{SSRC: 7, House: now, Name: "n"})
	f.Add(b)
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = Parse(b, now) })
}

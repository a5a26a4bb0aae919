package control

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/sync/course"
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

// What a gateway says besides comes through whole; what cannot be true does not.
func TestGatewayRoundTrip(t *testing.T) {
	want := Gateway{Term: 3, Leaving: true, StandBy: StandBy{Addr: netip.MustParseAddr("192.0.2.7"), Clock: 5006, HTTP: 41234},
		Legs: []course.Leg{{From: now, Stream: now - 12345, Drift: -123.456789e-6}, {From: now + 250e6, Stream: now + 250e6 - 12346, Drift: 0}}}
	for _, standBy := range []StandBy{want.StandBy, {}, {Addr: netip.MustParseAddr("fd00::7"), Clock: 1, HTTP: 2}} {
		want.StandBy = standBy
		b, err := AppendSender(nil, Sender{SSRC: 7, House: now, Name: "gateway", Gateway: &want})
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(b, now)
		if err != nil || got.Sender == nil || got.Sender.Gateway == nil {
			t.Fatalf("%+v, %v", got, err)
		}
		if d := got.Sender.Gateway.Legs[0].Drift - want.Legs[0].Drift; math.Abs(d) > driftUnit {
			t.Errorf("the drift is off by %g", d)
		}
		got.Sender.Gateway.Legs[0].Drift = want.Legs[0].Drift
		if !reflect.DeepEqual(*got.Sender.Gateway, want) {
			t.Errorf("%+v, want %+v", *got.Sender.Gateway, want)
		}
	}
	for what, wrong := range map[string]Gateway{
		"no leg":     {Term: 1},
		"too steep":  {Legs: []course.Leg{{From: now, Stream: now, Drift: 0.01}}},
		"no instant": {Legs: []course.Leg{{Stream: now}}},
	} {
		if g, ok := parseGateway(gatewayData(&wrong)); ok {
			t.Errorf("%s: taken for %+v", what, g)
		}
	}
}

// FuzzGateway: what is read and written again says the same.
func FuzzGateway(f *testing.F) {
	f.Add(gatewayData(&Gateway{Term: 1, Legs: []course.Leg{{From: now, Stream: now, Drift: 1e-4}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		g, ok := parseGateway(b)
		if !ok {
			return
		}
		again, ok := parseGateway(gatewayData(&g))
		if !ok || !reflect.DeepEqual(g, again) {
			t.Errorf("%+v, then %+v", g, again)
		}
	})
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

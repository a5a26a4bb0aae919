package clockmsg

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/sync/timebase"
)

const house0 = timebase.House(1_763_800_000_123_456_789)

func TestTimestampRoundTrip(t *testing.T) {
	for _, h := range []timebase.House{0, 1, 999_999_999, house0, 2_085_978_496_000_000_001, 4_000_000_000_999_999_999} {
		if got := FromHouse(h).House(); got != h {
			t.Errorf("%d comes back as %d", h, got)
		}
	}
}

// exchangeOnce runs one exchange with 100 µs each way; the server's clock is read
// 30 µs before its answer leaves. It returns what the client learns.
func exchangeOnce(t *testing.T, c *Client, s *Server, n uint64, at timebase.Local) (Sample, bool) {
	t.Helper()
	house := func(l timebase.Local) timebase.House { return house0 + timebase.House(l) }
	request := c.Request(nil, 2*n+1, 2*n+2, at-7000)
	c.Transmitted(2*n+1, at)
	arrived := at + 100_000
	asked := arrived + 50_000
	answer, key, err := s.Respond(nil, request, house(arrived), house(asked))
	if err != nil {
		t.Fatal(err)
	}
	s.Transmitted(key, house(asked), house(asked+30_000))
	sample, ok, err := c.Response(answer, asked+30_000+100_000)
	if err != nil {
		t.Fatal(err)
	}
	return sample, ok
}

func TestInterleavedCarriesKernelStamps(t *testing.T) {
	var c Client
	var s Server
	first, ok := exchangeOnce(t, &c, &s, 1, 1_000_000)
	if !ok || first.Interleaved {
		t.Fatalf("first exchange: %+v, %v; want a basic sample", first, ok)
	}
	if got := first.RoundTrip(); got != 230*time.Microsecond {
		t.Errorf("first round trip %v, want 230µs: the server does not know its latency yet", got)
	}
	for n := uint64(2); n < 40; n++ {
		sample, ok := exchangeOnce(t, &c, &s, n, timebase.Local(n)*1_000_000)
		if !ok || !sample.Interleaved || sample.RoundTrip() != 200*time.Microsecond {
			t.Fatalf("exchange %d: %+v, %v; want interleaved with 200µs", n, sample, ok)
		}
	}
	var fresh Client
	if sample, _ := exchangeOnce(t, &fresh, &s, 90, 90_000_000); sample.RoundTrip() > 202*time.Microsecond {
		t.Errorf("basic round trip %v after the server learnt its latency, want about 200µs", sample.RoundTrip())
	}
}

func TestForgedLateAndDoubledAnswers(t *testing.T) {
	var c Client
	var s Server
	request := c.Request(nil, 11, 12, 0)
	answer, _, _ := s.Respond(nil, request, house0, house0)
	forged := bytes.Clone(answer)
	forged[31] ^= 1 // origin
	if _, ok, err := c.Response(forged, 100); ok || err != nil {
		t.Errorf("forged: %v, %v", ok, err)
	}
	if _, ok, err := c.Response(answer, 100); !ok || err != nil {
		t.Errorf("good: %v, %v", ok, err)
	}
	if _, ok, _ := c.Response(answer, 100); ok {
		t.Error("doubled answer is taken")
	}
	for n := range uint64(outstanding) {
		c.Request(nil, 100+n, 200+n, 0)
	}
	if c.Pending() != outstanding {
		t.Errorf("%d pending, want %d", c.Pending(), outstanding)
	}
	if _, _, err := c.Response(answer[:47], 100); !errors.Is(err, ErrNotClock) {
		t.Errorf("short: %v", err)
	}
}

func TestFloodIsBounded(t *testing.T) {
	var s Server
	var c Client
	request := c.Request(nil, 1, 2, 0)
	for range 3 * remembered {
		if _, _, err := s.Respond(nil, request, house0, house0); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.sent) != remembered {
		t.Errorf("%d answers remembered, want %d", len(s.sent), remembered)
	}
}

func FuzzServerAndClient(f *testing.F) {
	var c Client
	f.Add(c.Request(nil, 1, 2, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Server
		answer, _, err := s.Respond(nil, b, house0, house0)
		if err == nil && len(answer) != len(b) {
			t.Fatalf("%d bytes answered to %d: an amplifier", len(answer), len(b))
		}
		m, err := parseMessage(b, modeClient)
		if err == nil {
			if again, err := parseMessage(appendMessage(nil, m), modeClient); err != nil || again != m {
				t.Fatalf("%+v comes back as %+v, %v", m, again, err)
			}
		}
		_, _, _ = new(Client).Response(b, 0)
	})
}

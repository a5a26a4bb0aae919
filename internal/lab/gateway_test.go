package main

import (
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/internal/netlab"
)

// household is a house that hears a source elsewhere, on a stage.
type household struct {
	*stage
	*outside
}

func newHousehold(t *testing.T, args ...string) *household {
	t.Helper()
	o, err := newOutside(t.Context(), os.Getenv(envBinary), t.TempDir(), args...)
	if err != nil {
		t.Skip(err)
	}
	h := &household{stage: &stage{T: t, house: o.world.house, rooms: o.rooms}, outside: o}
	t.Cleanup(h.end)
	return h
}

// agreed waits until the rooms have found their parts.
func (h *household) agreed(rooms ...*room) (gateway, standBy *room) {
	h.Helper()
	gateway, standBy, err := settled(h.Context(), rooms)
	h.must(err)
	return gateway, standBy
}

// A house of three fetches a stream from outside once, its rooms are aligned as on the
// LAN, and when the gateway is killed in the middle of the music nobody hears it. What
// comes back is not the gateway any more. One that is switched off hands over; and when
// gateway and stand-by die at once, the last plays on by itself, and is the gateway of
// whoever comes.
func TestGateway(t *testing.T) {
	h := newHousehold(t, "--latency", "300ms", "tune")
	rooms := h.outside.rooms
	gateway, standBy := h.agreed(rooms...)
	time.Sleep(3 * time.Second) // the overlap of ways
	received, sent, err := h.passed()
	h.must(err)
	calm := standstill(func() { time.Sleep(5 * time.Second) }) // and rooms are led to the house's time
	receivedThen, sentThen, err := h.passed()
	h.must(err)
	if received, sent = receivedThen-received, sentThen-sent; received < 100 || sent > 1.2*received && calm < mostStandstill {
		t.Errorf("the source sent %g packets, and the relay %g to a house of three", received, sent)
	}

	others := h.but(gateway)
	killed, stood := h.unheard(others, func() {
		h.must(gateway.signal(syscall.SIGKILL))
		gateway, _ = h.agreed(others...)
	})
	if gateway != standBy && stood < mostStandstill {
		t.Errorf("%s took over, but %s stood by", gateway.name, standBy.name)
	}
	for _, r := range rooms {
		if !slices.Contains(others, r) {
			h.must(h.start(h.Context(), r))
		}
	}
	gateway, _ = h.agreed(rooms...)
	h.unheard(h.but(gateway), func() {
		gateway.stop()
		h.agreed(h.but(gateway)...)
	})
	var last *room
	for _, r := range h.but(gateway) {
		if s := h.now(r.machine); s.Path == nil || s.Path.Part != "gateway" {
			last = r
		} else {
			h.must(r.signal(syscall.SIGKILL))
		}
	}
	h.until(last.machine, "playing on by itself", func(s control.Status) bool {
		return s.State == "playing" && s.Path != nil && s.Path.Mode == "relay" && s.Packets.Received > 0
	})
	for _, r := range rooms {
		r.stop()
	}
	if stood < mostStandstill {
		h.apart(others[0], others[1], killed, "when the gateway was killed")
	}
}

// Rooms that do not find each other at first each fetch the stream; once they do, one
// is the gateway. A speaker that knows no relay hears it, too.
func TestTwoGateways(t *testing.T) {
	h := newHousehold(t, "--latency", "300ms", "tune")
	attic := h.outside.rooms[2]
	multicast := func(passes bool) {
		for _, way := range []netlab.Direction{netlab.ToHost, netlab.ToSwitch} {
			h.must(attic.link.Impair(way, netlab.Conditions{BlockMulticast: !passes}))
		}
	}
	multicast(false)
	attic.stop()
	h.agreed(h.outside.rooms[:2]...)
	h.must(h.start(h.Context(), attic))
	h.until(attic.machine, "alone", func(s control.Status) bool { return s.State == "playing" && s.Path.Mode == "relay" })
	time.Sleep(6 * time.Second) // it is a gateway now that nobody hears
	h.unheard(h.outside.rooms, func() {
		multicast(true)
		h.agreed(h.outside.rooms...)
	})
	porch, err := h.home.add("Porch")
	h.must(err)
	h.must(porch.speaker(h.Context(), "null", "--channel", "far"))
	h.until(porch, "hearing the gateway", func(s control.Status) bool {
		return s.State == "playing" && s.Path != nil && s.Path.Mode == "lan" && s.Path.Part == "listener" && s.Timing.SinceAlignedS > 1
	})
}

// unheard checks that what happens to a gateway is not heard in the other rooms.
func (h *household) unheard(rooms []*room, happens func()) (during span, stood time.Duration) {
	h.Helper()
	var before []control.Status
	for _, r := range rooms {
		before = append(before, h.now(r.machine))
	}
	during.from = monotonic()
	stood = standstill(func() {
		happens()
		time.Sleep(3 * time.Second)
	})
	during.to = monotonic()
	for i, r := range rooms {
		b, a := before[i], h.now(r.machine)
		dry, lost := a.Output.Xruns-b.Output.Xruns, a.Packets.Lost-b.Packets.Lost
		concealed, jumps := a.Packets.Concealed-b.Packets.Concealed, a.Timing.Jumps-b.Timing.Jumps
		h.Logf("%s: %d packets lost, %d frames made up, %d jumps, ran dry %d times; load %s", r.name, lost, concealed, jumps, dry, load())
		switch {
		case lost+concealed == 0 && jumps <= dry:
		case stood > mostStandstill:
			h.Logf("not judged: this machine itself stood still for %v", stood)
		default:
			h.Errorf("%s lost %d packets, made up %d frames and jumped %d times", r.name, lost, concealed, jumps)
		}
	}
	return during, stood
}

// mostStandstill is how long a program may be kept waiting for a processor before what
// it plays says nothing of it.
const mostStandstill = 25 * time.Millisecond

// standstill returns the longest that this program was kept waiting while act ran.
func standstill(act func()) (worst time.Duration) {
	done, found := make(chan struct{}), make(chan time.Duration)
	go func() {
		const nap = 5 * time.Millisecond
		for worst := time.Duration(0); ; {
			began := time.Now()
			select {
			case <-done:
				found <- worst
				return
			case <-time.After(nap):
				worst = max(worst, time.Since(began)-nap)
			}
		}
	}()
	act()
	close(done)
	return <-found
}

// apart checks that two rooms are aligned to within a few samples, on a machine that
// may be busy.
func (h *household) apart(a, b *room, during span, what string) {
	h.Helper()
	var micros []float64
	for _, o := range h.aligned(a, b, during, 250*time.Millisecond) {
		micros = append(micros, float64(o.Late.Abs())/1e3)
	}
	if len(micros) < 8 {
		h.Fatalf("%s: %s and %s have %d moments in common", what, a.name, b.name, len(micros))
	}
	slices.Sort(micros)
	median, mostly, most := micros[len(micros)/2], micros[len(micros)*3/4], micros[len(micros)-1]
	h.Logf("%s: %s and %s are apart by %.1f µs (median), %.1f (three quarters), %.1f at most", what, a.name, b.name, median, mostly, most)
	if median > 200 || mostly > 500 { // a card that ran dry is apart for a window or two
		h.Errorf("%s: %s and %s are not aligned", what, a.name, b.name)
	}
}

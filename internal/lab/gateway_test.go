package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/internal/netlab"
)

// household is a house with three rooms that hears a source elsewhere.
type household struct {
	*stage
	world *world
}

func newHousehold(t *testing.T, args ...string) *household {
	t.Helper()
	w, err := newWorld(os.Getenv(envBinary), t.TempDir())
	if err != nil {
		t.Skip(err)
	}
	h := &household{stage: &stage{T: t, house: w.house, rooms: []*room{
		{name: "Kitchen", hostPPM: 40}, {name: "Hall", cardPPM: 120, hostPPM: -60}, {name: "Attic", cardPPM: -150},
	}}, world: w}
	t.Cleanup(h.end)
	h.must(w.startRelay(t.Context(), ""))
	far, err := w.addHome(netlab.Symmetric)
	h.must(err)
	h.source, err = far.add("source")
	h.must(err)
	home, err := w.addHome(netlab.Restricted, netlab.WithImpairment(7))
	h.must(err)
	line := netlab.Conditions{Delay: 10 * time.Millisecond, Jitter: 2 * time.Millisecond}
	h.must(home.outer.Impair(netlab.ToHost, line))
	h.must(home.outer.Impair(netlab.ToSwitch, line))
	for _, r := range h.rooms {
		r.machine, err = home.add(r.name)
		h.must(err)
	}
	h.must(h.source.source(t.Context(), append([]string{"--channel", "far", "--relay", relayAddress}, args...)...))
	for i, r := range h.rooms {
		h.start(i, r)
	}
	return h
}

func (h *household) start(i int, r *room) {
	h.Helper()
	h.must(r.speaker(h.Context(), r.card(i+1), fmt.Sprintf("--host-skew-ppm=%g", r.hostPPM), "--channel", "far", "--relay", relayAddress))
}

// settled waits until one of the rooms is the gateway of the others, and one of those
// stands by.
func (h *household) settled(rooms ...*room) (gateway, standBy *room) {
	h.Helper()
	var parts []string
	for began := time.Now(); time.Since(began) < patience; time.Sleep(50 * time.Millisecond) {
		parts = parts[:0]
		for _, r := range rooms {
			s, err := r.status()
			if err != nil || s.Path == nil || s.State != "playing" {
				parts = append(parts, "")
				continue
			}
			parts = append(parts, s.Path.Part)
		}
		sorted := slices.Sorted(slices.Values(parts))
		if g, s := slices.Index(parts, "gateway"), slices.Index(parts, "stand-by"); g >= 0 && s >= 0 && !slices.Contains(parts, "") && sorted[0] == "gateway" && (len(sorted) < 3 || sorted[1] == "listener") {
			return rooms[g], rooms[s]
		}
	}
	h.Fatalf("the parts are %q", parts)
	return nil, nil
}

// metric reads one of the relay's metrics.
func (h *household) metric(name string) (v float64) {
	h.Helper()
	relay := h.world.relay
	h.must(relay.host.Do(func() error {
		c, err := net.Dial("tcp", "127.0.0.1:5102")
		if err != nil {
			return err
		}
		defer c.Close()
		q, _ := http.NewRequest(http.MethodGet, "http://relay/metrics", nil)
		q.Close = true
		if err := q.Write(c); err != nil {
			return err
		}
		for lines := bufio.NewScanner(c); lines.Scan(); {
			if rest, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
				v, err = strconv.ParseFloat(rest, 64)
				return err
			}
		}
		return fmt.Errorf("the relay has no metric %s", name)
	}))
	return v
}

// A house of three fetches a stream from outside once, its rooms are aligned as on the
// LAN, and when the gateway is killed in the middle of the music nobody hears it.
func TestGateway(t *testing.T) {
	h := newHousehold(t, "--latency", "300ms", "tune")
	gateway, standBy := h.settled(h.rooms...)
	time.Sleep(3 * time.Second) // the overlap of ways
	received, sent := h.metric("tutti_relay_packets_received_total"), h.metric("tutti_relay_packets_sent_total")
	calm := h.undisturbed(func() { time.Sleep(5 * time.Second) })
	received, sent = h.metric("tutti_relay_packets_received_total")-received, h.metric("tutti_relay_packets_sent_total")-sent
	if received < 100 || sent > 1.2*received {
		t.Errorf("the source sent %g packets, and the relay %g to a house of three", received, sent)
	}

	others := slices.DeleteFunc(slices.Clone(h.rooms), func(r *room) bool { return r == gateway })
	before := []control.Status{h.now(others[0].machine), h.now(others[1].machine)}
	kill := monotonic()
	h.must(gateway.signal(syscall.SIGKILL))
	if next, _ := h.settled(others...); next != standBy {
		t.Errorf("%s took over, but %s stood by", next.name, standBy.name)
	}
	time.Sleep(4 * time.Second)
	after := monotonic()
	for i, r := range others {
		h.undisturbedBy(before[i], h.now(r.machine))
	}
	h.start(slices.Index(h.rooms, gateway), gateway)
	if again, _ := h.settled(h.rooms...); again != standBy {
		t.Errorf("%s came back and %s took over from %s", gateway.name, again.name, standBy.name)
	}
	for _, r := range h.rooms {
		r.stop()
	}
	h.aligned2(others[0], others[1], calm.span, "with a gateway")
	h.aligned2(others[0], others[1], span{kill, after}, "when the gateway was killed")
}

// undisturbedBy checks that nothing was missing between two moments.
func (h *household) undisturbedBy(before, after control.Status) {
	h.Helper()
	dry := after.Output.Xruns - before.Output.Xruns
	lost, concealed, jumps := after.Packets.Lost-before.Packets.Lost, after.Packets.Concealed-before.Packets.Concealed, after.Timing.Jumps-before.Timing.Jumps
	h.Logf("%s: %d packets lost, %d frames made up, %d jumps, ran dry %d times; %s", after.Name, lost, concealed, jumps, dry, load())
	if lost+concealed > 0 || jumps > dry {
		h.Errorf("%s lost %d packets, made up %d frames and jumped %d times", after.Name, lost, concealed, jumps)
	}
}

// aligned2 checks that two rooms are aligned to within a few samples, on a machine that
// may be busy.
func (h *household) aligned2(a, b *room, during span, what string) {
	h.Helper()
	offsets := h.aligned(a, b, during, 250*time.Millisecond)
	var micros []float64
	for _, o := range offsets {
		micros = append(micros, float64(o.Late.Abs())/1e3)
	}
	if len(micros) < 8 {
		h.Fatalf("%s: %s and %s have %d moments in common", what, a.name, b.name, len(micros))
	}
	slices.Sort(micros)
	median, most := micros[len(micros)/2], micros[len(micros)-1]
	h.Logf("%s: %s and %s are apart by %.1f µs (median), %.1f at most", what, a.name, b.name, median, most)
	if median > 100 || most > 1000 {
		h.Errorf("%s: %s and %s are apart by %.1f µs (median), %.1f at most", what, a.name, b.name, median, most)
	}
}

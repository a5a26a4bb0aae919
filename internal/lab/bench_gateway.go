package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/internal/netlab"
)

const (
	gatewaySettle = 20 * time.Second // ways that the rooms had of their own are led over
	gatewayCalm   = 40 * time.Second
	gatewayDeaths = 3 // of each kind
	gatewayAfter  = 5 * time.Second
)

// benchGateway shows a house of three that hears a stream from outside: how often it is
// fetched, how well the rooms are aligned, and what is heard when the gateway dies.
func benchGateway(ctx context.Context, r *results) error {
	for _, latency := range []time.Duration{100 * time.Millisecond, 300 * time.Millisecond} {
		if err := benchHouse(ctx, r, latency); err != nil {
			return err
		}
	}
	return nil
}

func benchHouse(ctx context.Context, r *results, latency time.Duration) error {
	dir := filepath.Join("build", "bench-gateway", latency.String())
	o, err := newOutside(ctx, filepath.Join("build", "tutti"), dir, "--latency", latency.String(), "tune")
	if err != nil {
		return err
	}
	defer o.world.close()
	seen := pairing{}
	if _, _, err := settled(ctx, o.rooms); err != nil {
		return err
	}
	if err := o.again(ctx); err != nil { // as after a power cut: they know each other
		return err
	}
	if _, _, err := settled(ctx, o.rooms); err != nil {
		return err
	}
	wait(ctx, gatewaySettle)
	received, sent, err := o.passed()
	if err != nil {
		return err
	}
	calm := span{from: monotonic()}
	wait(ctx, gatewayCalm)
	calm.to = monotonic()
	receivedThen, sentThen, err := o.passed()
	if err != nil {
		return err
	}
	named := func(what string) string { return fmt.Sprintf("%v: %s", latency, what) }
	r.atMost(named("copies of each packet that the relay sends to the house"), (sentThen-sent)/(receivedThen-received), 1.05, "")
	var offsets []float64
	for i, a := range o.rooms {
		for _, b := range o.rooms[:i] {
			if offsets, err = seen.apart(offsets, a, b, calm); err != nil {
				return err
			}
		}
	}
	r.apart(named("calm"), offsets)
	for _, kind := range []string{"killed", "unplugged", "switched off"} {
		if err := o.deaths(ctx, r, seen, kind, named(kind)); err != nil {
			return err
		}
	}
	title := fmt.Sprintf("a stream from outside at %v: rooms left alone, then around the deaths of nine gateways", latency)
	return plotAlignment(filepath.Join(dir, "alignment.png"), title, seen.pairs())
}

// pairing is what was measured of pairs of rooms, by the names of both.
type pairing map[string]pair

// apart appends how far two rooms were apart in a span, in microseconds, and notes it.
func (p pairing) apart(dst []float64, a, b *room, during span) ([]float64, error) {
	all, err := alignedIn(a, b, during, 100*time.Millisecond)
	both := p[a.name+b.name]
	both.a, both.b, both.measured = a, b, append(both.measured, all...)
	p[a.name+b.name] = both
	for _, at := range all {
		dst = append(dst, float64(at.Late.Abs())/1e3)
	}
	return dst, err
}

// pairs returns them in the order in which they were measured first.
func (p pairing) pairs() []pair {
	return slices.SortedFunc(maps.Values(p), func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.measured[0].Nanos, b.measured[0].Nanos), cmp.Compare(a.a.name+a.b.name, b.a.name+b.b.name))
	})
}

// deaths has the gateway die in one way again and again, and adds what the others made
// up of the sound.
func (o *outside) deaths(ctx context.Context, r *results, seen pairing, kind, name string) error {
	made, worst, jumps := 0.0, 0.0, 0.0
	var offsets []float64
	for range gatewayDeaths {
		gateway, _, err := settled(ctx, o.rooms)
		if err != nil {
			return err
		}
		wait(ctx, 2*time.Second)
		others := o.but(gateway)
		before, err := statuses(others)
		if err != nil {
			return err
		}
		s := span{from: monotonic()}
		if err := o.die(gateway, kind); err != nil {
			return err
		}
		if _, _, err := settled(ctx, others); err != nil {
			return err
		}
		wait(ctx, gatewayAfter)
		s.to = monotonic()
		if offsets, err = seen.apart(offsets, others[0], others[1], s); err != nil {
			return err
		}
		after, err := statuses(others)
		if err != nil {
			return err
		}
		for i := range others {
			ms := float64(after[i].Packets.Concealed-before[i].Packets.Concealed) / 48
			made, worst = made+ms, max(worst, ms)
			jumps += float64(after[i].Timing.Jumps - before[i].Timing.Jumps)
		}
		if err := o.revive(ctx, gateway, kind); err != nil {
			return err
		}
	}
	r.add(name+", made up in the other rooms, together", made, "ms")
	r.atMost(name+", at worst", worst, 0, "ms")
	r.add(name+", jumps", jumps, "")
	r.apart(name, offsets)
	return nil
}

func statuses(rooms []*room) (all []control.Status, err error) {
	for _, r := range rooms {
		s, err := r.status()
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// die ends a gateway in one of three ways, revive undoes it.
func (o *outside) die(r *room, kind string) error {
	switch kind {
	case "killed":
		return r.signal(syscall.SIGKILL)
	case "unplugged":
		return r.cable(1)
	}
	r.stop()
	return nil
}

func (o *outside) revive(ctx context.Context, r *room, kind string) error {
	if kind == "unplugged" {
		return r.cable(0)
	}
	return o.start(ctx, r)
}

// cable has the room's cable lose a share of what passes, both ways.
func (r *room) cable(loss float64) error {
	for _, way := range []netlab.Direction{netlab.ToHost, netlab.ToSwitch} {
		if err := r.link.Impair(way, netlab.Conditions{Loss: loss}); err != nil {
			return err
		}
	}
	return nil
}

// apart adds what apart has found.
func (r *results) apart(name string, micros []float64) {
	slices.Sort(micros)
	r.add(name+", rooms apart, median", micros[len(micros)/2], "µs")
	r.atMost(name+", rooms apart, p99", micros[len(micros)*99/100], 50, "µs")
	r.add(name+", rooms apart, at most", micros[len(micros)-1], "µs")
}

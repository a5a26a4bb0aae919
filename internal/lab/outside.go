package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tutti-audio/tutti/internal/netlab"
)

// outside is a house with three rooms that hears a source elsewhere, by a relay, over a
// line of 20 ms there and back.
type outside struct {
	world  *world
	source *machine
	home   *home
	rooms  []*room
}

// newOutside builds the house and starts the programs; args are the source's.
func newOutside(ctx context.Context, binary, dir string, args ...string) (o *outside, err error) {
	o = &outside{rooms: []*room{{name: "Kitchen", hostPPM: 40}, {name: "Hall", cardPPM: 120, hostPPM: -60}, {name: "Attic", cardPPM: -150}}}
	if o.world, err = newWorld(binary, dir); err != nil {
		return nil, err
	}
	if err := o.build(ctx, args); err != nil {
		return nil, errors.Join(err, o.world.close())
	}
	return o, nil
}

func (o *outside) build(ctx context.Context, args []string) error {
	if err := o.world.startRelay(ctx, ""); err != nil {
		return err
	}
	far, err := o.world.addHome(netlab.Symmetric) // nothing but the relay gets through
	if err != nil {
		return err
	}
	if o.source, err = far.add("source"); err != nil {
		return err
	}
	if o.home, err = o.world.addHome(netlab.Symmetric, netlab.WithImpairment(7)); err != nil {
		return err
	}
	line := netlab.Conditions{Delay: 10 * time.Millisecond, Jitter: 2 * time.Millisecond}
	err = errors.Join(o.home.outer.Impair(netlab.ToHost, line), o.home.outer.Impair(netlab.ToSwitch, line))
	err = errors.Join(err, o.source.source(ctx, append([]string{"--channel", "far", "--relay", relayAddress}, args...)...))
	for _, r := range o.rooms {
		var failed error
		if r.machine, failed = o.home.add(r.name, netlab.WithImpairment(3)); failed != nil {
			return failed
		}
		err = errors.Join(err, o.start(ctx, r))
	}
	return err
}

// start starts a room's speaker.
func (o *outside) start(ctx context.Context, r *room) error {
	return r.speaker(ctx, r.card(1+slices.Index(o.rooms, r)), fmt.Sprintf("--host-skew-ppm=%g", r.hostPPM), "--channel", "far", "--relay", relayAddress)
}

// but is the rooms without one.
func (o *outside) but(r *room) []*room {
	return slices.DeleteFunc(slices.Clone(o.rooms), func(other *room) bool { return other == r })
}

// settled waits until one of the rooms is the gateway, one stands by, and the rest
// listen.
func settled(ctx context.Context, rooms []*room) (gateway, standBy *room, err error) {
	parts := make([]string, len(rooms))
	for began := time.Now(); time.Since(began) < patience && ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		found := map[string][]*room{}
		for i, r := range rooms {
			parts[i] = ""
			if s, err := r.status(); err == nil && s.Path != nil && s.State == "playing" {
				parts[i] = s.Path.Part
			}
			found[parts[i]] = append(found[parts[i]], r)
		}
		if len(found["gateway"]) == 1 && len(found["stand-by"]) == 1 && len(found["listener"]) == len(rooms)-2 {
			return found["gateway"][0], found["stand-by"][0], nil
		}
	}
	return nil, nil, fmt.Errorf("after %v the parts of the rooms are %q", patience, parts)
}

// passed returns how many packets the relay has received and sent.
func (o *outside) passed() (received, sent float64, err error) {
	relay := o.world.relay
	err = relay.host.Do(func() error {
		c, err := net.Dial("tcp", "127.0.0.1:5102")
		if err != nil {
			return err
		}
		defer c.Close()
		q, err := http.NewRequest(http.MethodGet, "http://relay/metrics", nil)
		if err != nil {
			return err
		}
		q.Close = true
		if err := q.Write(c); err != nil {
			return err
		}
		lines := bufio.NewScanner(c)
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), " ")
			v, _ := strconv.ParseFloat(value, 64)
			switch name {
			case "tutti_relay_packets_received_total":
				received = v
			case "tutti_relay_packets_sent_total":
				sent = v
			}
		}
		return lines.Err()
	})
	return received, sent, err
}

// patience is how long a thing may take on a busy machine before it counts as
// not happening.
const patience = 40 * time.Second

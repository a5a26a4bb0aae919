package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/tutti-audio/tutti/internal/netlab"
)

// act is something that happens to a network during the demo.
type act struct {
	at   time.Duration
	says string
	do   func() error
}

const relayDemoLength = 34 * time.Second

// relayDemo shows a stream leave the house: a relay on an internet, a source and three
// speakers behind the routers of three homes, and what becomes of the sound when a
// network changes or a speaker dies.
func relayDemo(ctx context.Context) error {
	dir := filepath.Join("build", "relay-demo")
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	w, err := newWorld(filepath.Join("build", "tutti"), dir)
	if err != nil {
		return err
	}
	defer w.close()
	fmt.Print("A relay, and three homes behind routers: the source's; Berlin (a plain NAT), where Kitchen and Hall fetch the stream once,\n" +
		"by the one that is the gateway; and Lisbon (a symmetric NAT, and 5 % of its packets are lost).\n\n")
	rooms, acts, err := w.stageRelayDemo(ctx)
	if err != nil {
		return err
	}
	perform(ctx, rooms, acts)
	return curtain(rooms)
}

// stageRelayDemo builds the homes and starts the programs.
func (w *world) stageRelayDemo(ctx context.Context) ([]*room, []act, error) {
	if err := w.startRelay(ctx, ""); err != nil {
		return nil, nil, err
	}
	source, err := w.resident(netlab.Restricted, "source")
	if err != nil {
		return nil, nil, err
	}
	berlin, err := w.addHome(netlab.Restricted)
	if err != nil {
		return nil, nil, err
	}
	rooms := []*room{{name: "Kitchen", cardPPM: 120}, {name: "Hall", cardPPM: -150}, {name: "Lisbon"}}
	for _, r := range rooms[:2] {
		if r.machine, err = berlin.add(r.name); err != nil {
			return nil, nil, err
		}
	}
	if rooms[2].machine, err = w.resident(netlab.Symmetric, "Lisbon"); err != nil {
		return nil, nil, err
	}
	lossy := netlab.Conditions{Delay: natDelay, Jitter: natDelay / 2, Loss: 0.05}
	err = errors.Join(rooms[2].link.Impair(netlab.ToHost, lossy), source.source(ctx, "--channel", "far", "--relay", relayAddress, "tune"))
	for i, r := range rooms {
		err = errors.Join(err, r.speaker(ctx, r.card(i+1), "--channel", "far", "--relay", relayAddress))
	}
	for _, r := range rooms {
		err = errors.Join(err, waitPlaying(ctx, 15*time.Second, r.machine))
	}
	return rooms, []act{
		{10 * time.Second, "Berlin's router blocks all UDP", func() error { return berlin.router.host.Router(berlin.outer, netlab.UDPBlocked) }},
		{18 * time.Second, "… and lets it through again", func() error { return berlin.router.host.Router(berlin.outer, netlab.Restricted) }},
		{25 * time.Second, "Berlin's gateway is pulled out of the wall", func() error { return pullGateway(rooms[:2]) }},
	}, err
}

// pullGateway kills the speaker that fetches the stream for a house.
func pullGateway(rooms []*room) error {
	for _, r := range rooms {
		if s, err := r.status(); err == nil && s.Path != nil && s.Path.Part == "gateway" {
			return r.signal(syscall.SIGKILL)
		}
	}
	return errors.New("there is none")
}

// perform shows the speakers while the acts happen.
func perform(ctx context.Context, rooms []*room, acts []act) {
	live := term.IsTerminal(int(os.Stdout.Fd()))
	began, shown := time.Now(), 0
	for n := 0; time.Since(began) < relayDemoLength && ctx.Err() == nil; n++ {
		for len(acts) > 0 && time.Since(began) >= acts[0].at {
			says := acts[0].says
			if err := acts[0].do(); err != nil {
				says += ": " + err.Error()
			}
			fmt.Printf("\n  %2.0f s: %s\n\n", acts[0].at.Seconds(), says)
			acts, shown = acts[1:], 0
		}
		lines := pathTable(rooms, time.Since(began))
		if live && shown > 0 {
			fmt.Printf("\033[%dA", shown)
		}
		if live || n%6 == 2 {
			end := "\n"
			if live {
				end = "\033[K\n"
			}
			fmt.Print(strings.Join(lines, end) + end)
			shown = len(lines)
		}
		wait(ctx, demoPause)
	}
}

// pathTable is by which way the speakers hear now.
func pathTable(rooms []*room, since time.Duration) []string {
	lines := []string{fmt.Sprintf("%-10s %-8s %-10s %-9s %10s %8s %8s %7s %9s %12s   %3.0f s", "speaker", "state", "by", "part", "round trip", "jitter", "buffer", "loss", "repaired", "made up", since.Seconds())}
	for _, r := range rooms {
		s, err := r.status()
		if err != nil || s.Path == nil {
			lines = append(lines, fmt.Sprintf("%-10s %-8s", r.name, cmp.Or(s.State, "dead")))
			continue
		}
		p := s.Path
		lines = append(lines, fmt.Sprintf("%-10s %-8s %-10s %-9s %7.0f ms %5.0f ms %5.0f ms %5.1f %% %9d %9.0f ms", s.Name, s.State, p.Mode, p.Part,
			p.RoundTripMS, p.JitterMS, p.BufferMS, p.LossPercent, p.Repaired+p.Recovered, float64(s.Packets.Concealed)/48))
	}
	return lines
}

// curtain says what was heard.
func curtain(rooms []*room) error {
	fmt.Println()
	for _, r := range rooms {
		s, err := r.status()
		if err != nil {
			fmt.Printf("%-10s was killed%62s%s\n", r.name, "", r.recording())
			continue
		}
		fmt.Printf("%-10s %d packets played, %d lost for good, %.0f ms made up, %d jumps   %s\n", r.name, s.Packets.Received, s.Packets.Lost, float64(s.Packets.Concealed)/48, s.Timing.Jumps, r.recording())
		r.stop()
	}
	micros, err := pairing{}.apart(nil, rooms[0], rooms[1], span{to: math.MaxInt64})
	if err != nil {
		return fmt.Errorf("comparing Kitchen and Hall: %w", err)
	}
	slices.Sort(micros)
	fmt.Printf("\nWhat the cards of Kitchen and Hall recorded, cross-correlated: apart by %.1f µs (median), %.0f at most, in the first seconds.\n", micros[len(micros)/2], micros[len(micros)-1])
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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

const relayDemoLength = 30 * time.Second

// relayDemo shows a stream leave the house: a relay on an internet, a source and two
// speakers behind the routers of three homes, and what becomes of the sound when a
// network changes.
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
	fmt.Print("A relay, and three homes behind routers: the source's, Berlin (a plain NAT) and Lisbon (a symmetric NAT, and 5 % of its packets are lost).\n\n")
	rooms, acts, err := w.stageRelayDemo(ctx)
	if err != nil {
		return err
	}
	perform(ctx, rooms, acts)
	return curtain(rooms)
}

// stageRelayDemo builds the homes and starts the programs.
func (w *world) stageRelayDemo(ctx context.Context) ([]*room, []act, error) {
	if err := w.startRelay(ctx, embeddedTURN); err != nil {
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
	rooms := []*room{{name: "Berlin"}, {name: "Lisbon"}}
	rooms[0].machine, err = berlin.add("Berlin")
	if err != nil {
		return nil, nil, err
	}
	if rooms[1].machine, err = w.resident(netlab.Symmetric, "Lisbon"); err != nil {
		return nil, nil, err
	}
	lossy := netlab.Conditions{Delay: natDelay, Jitter: natDelay / 2, Loss: 0.05}
	err = errors.Join(rooms[1].link.Impair(netlab.ToHost, lossy), source.source(ctx, "--channel", "far", "--relay", relayAddress, "tune"))
	for _, r := range rooms {
		err = errors.Join(err, r.speaker(ctx, "wav:"+r.recording(), "--channel", "far", "--relay", relayAddress))
	}
	for _, r := range rooms {
		err = errors.Join(err, waitPlaying(ctx, 15*time.Second, r.machine))
	}
	return rooms, []act{
		{10 * time.Second, "Berlin's router blocks all UDP", func() error { return berlin.router.host.Router(berlin.outer, netlab.UDPBlocked) }},
		{18 * time.Second, "… and lets it through again", func() error { return berlin.router.host.Router(berlin.outer, netlab.Restricted) }},
	}, err
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
	lines := []string{fmt.Sprintf("%-10s %-8s %-10s %10s %8s %8s %7s %9s %12s   %3.0f s", "speaker", "state", "by", "round trip", "jitter", "buffer", "loss", "repaired", "made up", since.Seconds())}
	for _, r := range rooms {
		s, err := r.status()
		if err != nil || s.Path == nil {
			lines = append(lines, fmt.Sprintf("%-10s %-8s", r.name, s.State))
			continue
		}
		p := s.Path
		lines = append(lines, fmt.Sprintf("%-10s %-8s %-10s %7.0f ms %5.0f ms %5.0f ms %5.1f %% %9d %9.0f ms", s.Name, s.State, p.Mode,
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
			return err
		}
		fmt.Printf("%-10s %d packets played, %d lost for good, %.0f ms made up, %d jumps   %s\n", r.name, s.Packets.Received, s.Packets.Lost, float64(s.Packets.Concealed)/48, s.Timing.Jumps, r.recording())
		r.stop()
	}
	return nil
}

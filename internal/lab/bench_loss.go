package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/internal/netlab"
)

const (
	lossSettle = 6 * time.Second // for the source to hear of it
	lossFor    = 12 * time.Second
	lossDelay  = 10 * time.Millisecond // one way, of the listener's line
)

// lossCases are what lines do, with the bars of the brief: what may be made up of the
// sound, in percent.
func lossCases() (all []lossCase) {
	for _, latency := range []time.Duration{40 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond} {
		for _, loss := range []float64{0.01, 0.05, 0.10, 0.20, 0.30} {
			c := lossCase{latency: latency, conditions: netlab.Conditions{Delay: lossDelay, Loss: loss}, what: fmt.Sprintf("%.0f %% at random", 100*loss)}
			if latency == 300*time.Millisecond && loss <= 0.20 || latency == 40*time.Millisecond && loss <= 0.05 {
				c.bar = 0.1
			}
			all = append(all, c)
		}
		for _, burst := range []time.Duration{20, 50, 100, 200} {
			c := lossCase{latency: latency, what: fmt.Sprintf("bursts of %d ms", burst),
				conditions: netlab.Conditions{Delay: lossDelay, BurstEvery: 2 * time.Second, BurstLength: burst * time.Millisecond}}
			if latency == 300*time.Millisecond && burst <= 100 {
				c.bar = 0.1
			}
			all = append(all, c)
		}
	}
	return all
}

type lossCase struct {
	latency    time.Duration
	conditions netlab.Conditions
	what       string
	bar        float64 // percent made up at most; 0: none is held to
}

// benchLoss shows how much of the sound a listener off the LAN has to make up, against
// what its line loses, and what healing costs.
func benchLoss(ctx context.Context, r *results) error {
	latency := time.Duration(0)
	var stage *lossStage
	defer func() { stage.close() }()
	for _, c := range lossCases() {
		if c.latency != latency {
			stage.close()
			var err error
			if stage, err = newLossStage(ctx, c.latency); err != nil {
				return err
			}
			latency = c.latency
		}
		if err := stage.measure(ctx, r, c); err != nil {
			return err
		}
	}
	return nil
}

type lossStage struct {
	world *world
	room  *machine
}

func newLossStage(ctx context.Context, latency time.Duration) (*lossStage, error) {
	w, err := newWorld(filepath.Join("build", "tutti"), filepath.Join("build", "bench-loss"))
	if err != nil {
		return nil, err
	}
	s := &lossStage{world: w}
	fail := func(err error) (*lossStage, error) {
		s.close()
		return nil, err
	}
	if err := w.startRelay(ctx, ""); err != nil {
		return fail(err)
	}
	sending, err := w.addHome(netlab.Restricted)
	if err != nil {
		return fail(err)
	}
	source, err := sending.add("source")
	if err != nil {
		return fail(err)
	}
	hearing, err := w.addHome(netlab.Symmetric)
	if err != nil {
		return fail(err)
	}
	if s.room, err = hearing.add("Far", netlab.WithImpairment(3)); err != nil {
		return fail(err)
	}
	relay := relayAddress
	if err := source.source(ctx, "--channel", "far", "--relay", relay, "--latency", latency.String(), "tune"); err != nil {
		return fail(err)
	}
	if err := s.room.speaker(ctx, "virtual:ppm=30", "--channel", "far", "--relay", relay); err != nil {
		return fail(err)
	}
	if err := waitPlaying(ctx, 20*time.Second, s.room); err != nil {
		return fail(err)
	}
	return s, nil
}

func (s *lossStage) close() {
	if s != nil {
		_ = s.world.close()
	}
}

// measure lets the line be bad for a while.
func (s *lossStage) measure(ctx context.Context, r *results, c lossCase) error {
	for _, d := range []netlab.Direction{netlab.ToHost, netlab.ToSwitch} {
		if err := s.room.link.Impair(d, c.conditions); err != nil {
			return err
		}
	}
	wait(ctx, lossSettle)
	before, err := s.room.status()
	if err != nil {
		return err
	}
	wait(ctx, lossFor)
	after, err := s.room.status()
	if err != nil {
		return err
	}
	frames := float64(after.Packets.Concealed - before.Packets.Concealed)
	name := fmt.Sprintf("%v, %s: made up", c.latency, c.what)
	made := 100 * frames / (48000 * lossFor.Seconds())
	if c.bar > 0 {
		r.atMost(name, made, c.bar, "%")
	} else {
		r.add(name, made, "%")
	}
	r.add(strings.TrimSuffix(name, "made up")+"sent besides", 100*overhead(before, after), "%")
	return ctx.Err()
}

// overhead is what came besides each packet of the stream once, as a share.
func overhead(before, after control.Status) float64 {
	if before.Path == nil || after.Path == nil {
		return 0
	}
	grew := func(now, then uint64) float64 { return max(0, float64(now)-float64(then)) } // another way counts anew
	extra := grew(after.Path.Parity, before.Path.Parity) + grew(after.Packets.Duplicate, before.Packets.Duplicate) + grew(after.Path.Repaired, before.Path.Repaired)
	return extra / max(1, grew(after.Packets.Received, before.Packets.Received))
}

// wait lets time pass, or not when the context ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/internal/netlab"
)

const (
	lossSettle = 6 * time.Second // for the source to hear of it
	lossFor    = 12 * time.Second
	lossDelay  = 10 * time.Millisecond // one way, of the listener's line
	lossCalm   = 90 * time.Second      // at most, until playout is at the latency that the stream has
	lossNear   = 3.0                   // ms of that
)

// lossCases are what lines do, with the bars of the brief: what may be made up of the
// sound, in percent.
func lossCases(latency time.Duration) (all []lossCase) {
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
	return all
}

type lossCase struct {
	latency    time.Duration
	conditions netlab.Conditions
	what       string
	bar        float64 // percent made up at most; 0: none is held to
}

// benchLoss shows, for streams of one latency, how much of the sound a listener off the
// LAN has to make up, against what its line loses, and what healing costs.
func benchLoss(latency time.Duration) func(context.Context, *results) error {
	return func(ctx context.Context, r *results) error {
		stage, err := newLossStage(ctx, latency)
		if err != nil {
			return err
		}
		defer stage.close()
		for _, c := range lossCases(latency) {
			if err := stage.measure(ctx, r, c); err != nil {
				return err
			}
		}
		return nil
	}
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
	s.calm(ctx, latency)
	return s, nil
}

// calm waits until what the machine did to the first packets, while programs started,
// no longer makes the listener wait longer.
func (s *lossStage) calm(ctx context.Context, latency time.Duration) {
	wait(ctx, lossSettle)
	for end := time.Now().Add(lossCalm); ctx.Err() == nil && time.Now().Before(end); wait(ctx, time.Second) {
		now, err := s.room.status()
		if err == nil && now.Path != nil && now.Path.BufferMS < 1000*latency.Seconds()+lossNear {
			return
		}
	}
}

func (s *lossStage) close() { _ = s.world.close() }

// lossReading is how things stand at a moment.
type lossReading struct {
	at     time.Time
	room   control.Status
	copies float64 // that the relay sent to its only listener
}

func (s *lossStage) read() (l lossReading, err error) {
	if l.room, err = s.room.status(); err != nil {
		return l, err
	}
	l.at = time.Now()
	counts, err := s.world.relay.relayCounts()
	l.copies = counts["packets_sent_total"] + counts["resent_total"]
	return l, err
}

// measure lets the line be bad for a while.
func (s *lossStage) measure(ctx context.Context, r *results, c lossCase) error {
	for _, d := range []netlab.Direction{netlab.ToHost, netlab.ToSwitch} {
		if err := s.room.link.Impair(d, c.conditions); err != nil {
			return err
		}
	}
	wait(ctx, lossSettle)
	before, err := s.read()
	if err != nil {
		return err
	}
	wait(ctx, lossFor)
	after, err := s.read()
	if err != nil {
		return err
	}
	c.report(r, before, after)
	return ctx.Err()
}

// report adds what a case has shown.
func (c lossCase) report(r *results, before, after lossReading) {
	name := fmt.Sprintf("%v, %s: ", c.latency, c.what)
	a, b := after.room.Packets, before.room.Packets
	made := 100 * float64(a.Concealed-b.Concealed) / (48000 * after.at.Sub(before.at).Seconds())
	if c.bar > 0 {
		r.atMost(name+"made up", made, c.bar, "%")
	} else {
		r.add(name+"made up", made, "%")
	}
	if after.room.Stream == nil || after.room.Path == nil {
		return
	}
	packets := 1000 * after.at.Sub(before.at).Seconds() / after.room.Stream.PacketMS
	r.add(name+"packets that were not there in time", 100*grew(a.Lost, b.Lost)/packets, "%")
	r.add(name+"times that the sound device ran dry", grew(after.room.Output.Xruns, before.room.Output.Xruns), "")
	r.add(name+"sent besides, from relay to listener", 100*((after.copies-before.copies)/packets-1), "%")
	r.add(name+"delay that 1 in 100 packets exceeds", after.room.Path.JitterMS, "ms")
	r.add(name+"packets wait for", after.room.Path.BufferMS, "ms")
	r.add(name+"of that, in the sound device", after.room.Timing.QueuedMS, "ms")
}

// grew is how much a counter grew that may have begun anew.
func grew(now, then uint64) float64 { return max(0, float64(now)-float64(then)) }

// wait lets time pass, or not when the context ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

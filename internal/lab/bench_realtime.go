package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"time"
)

const (
	calmFor = time.Minute
	busyFor = 10 * time.Minute
	lookAt  = 200 * time.Millisecond
)

// benchRealTime shows how the audio thread is woken, on a machine left alone and on
// one that has twice as much to do as it has cores, and whether the sound suffers.
func benchRealTime(ctx context.Context, r *results) error {
	one := &room{name: "Speaker", cardPPM: 50}
	h, source, err := furnish(filepath.Join("build", "bench-realtime"), []*room{one})
	if err != nil {
		return err
	}
	defer h.close()
	if err := one.speaker(ctx, "virtual:ppm=50"); err != nil {
		return err
	}
	if err := source.source(ctx, "--channel", "realtime", "tune"); err != nil {
		return err
	}
	if err := waitPlaying(ctx, 10*time.Second, one.machine); err != nil {
		return err
	}
	time.Sleep(5 * time.Second)
	if err := watchWaking(ctx, r, one, "left alone", calmFor); err != nil {
		return err
	}
	burning, stop := context.WithCancel(ctx)
	defer stop()
	for range 2 * runtime.NumCPU() {
		if err := exec.CommandContext(burning, "sh", "-c", "while :; do :; done").Start(); err != nil {
			return err
		}
	}
	return watchWaking(ctx, r, one, "busy", busyFor)
}

// watchWaking follows a speaker's own account. Each look shows the worst waking of
// the tenth of a second before it.
func watchWaking(ctx context.Context, r *results, one *room, how string, length time.Duration) error {
	before, err := one.status()
	if err != nil {
		return err
	}
	bare := watchStalls(10 * time.Millisecond)
	var late []float64
	silent := 0 // looks that were not answered in time: the rest of the process is not raised
	for end := time.Now().Add(length); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(lookAt) {
		if s, err := one.status(); err == nil {
			late = append(late, s.Timing.WorstWakeLate)
		} else {
			silent++
		}
	}
	if len(late) == 0 {
		return errors.New("the speaker never answered")
	}
	stalled, worst := bare.stop()
	after, err := one.status()
	if err != nil {
		return err
	}
	slices.Sort(late)
	at := func(q float64) float64 { return late[int(q*float64(len(late)-1))] }
	name := fmt.Sprintf("%s, %v, real time %v", how, length, after.Realtime)
	r.add(name+": worst wake-up in 0.1 s, median", at(0.5), "µs late")
	r.add(name+": p99", at(0.99), "µs late")
	r.add(name+": max", at(1), "µs late")
	r.add(name+": bare threads woke over 10 ms late", float64(stalled), "times")
	r.add(name+": and at worst", float64(worst.Microseconds()), "µs late")
	r.add(name+": status not answered within 3 s", float64(silent), "times")
	r.add(name+": xruns", float64(after.Output.Xruns-before.Output.Xruns), "")
	r.add(name+": jumps", float64(after.Timing.Jumps-before.Timing.Jumps), "")
	r.add(name+": frames concealed", float64(after.Packets.Concealed-before.Packets.Concealed), "")
	return ctx.Err()
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/internal/measure"
)

const (
	waysChanges = 200
	waysMoving  = 3
	waysLatency = 300 * time.Millisecond
	waysLongest = 5 * time.Minute
	waysSeed    = 1
)

// benchWays forces speakers from way to way at random moments until they have changed 200
// times, with busy loops and packets for nobody beside them, and looks for what their
// recordings lack.
func benchWays(ctx context.Context, r *results) error {
	dir := filepath.Join("build", "bench-ways")
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	s, original, err := newWays(ctx, filepath.Join("build", "tutti"), dir, waysSeed, waysMoving, waysLongest+time.Minute, waysLatency)
	if err != nil {
		if s != nil {
			err = errors.Join(err, s.close())
		}
		return err
	}
	defer s.close()
	if err := s.disturb(ctx, 2); err != nil {
		return err
	}
	if err := s.run(ctx, waysChanges, waysLongest); err != nil {
		return err
	}
	return s.report(r, original)
}

// run moves the speakers until there were so many changes, or time is up.
func (s *ways) run(ctx context.Context, changes int, longest time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	var all sync.WaitGroup
	errs := make([]error, len(s.moves))
	for i, m := range s.moves {
		all.Go(func() { errs[i] = m.move(ctx) })
	}
	for s.changes() < changes && ctx.Err() == nil {
		wait(ctx, 250*time.Millisecond)
	}
	cancel()
	all.Wait()
	return errors.Join(errs...)
}

// changes is how often the speakers changed ways.
func (s *ways) changes() (n int) {
	for _, m := range s.moves {
		n += m.changes()
	}
	return n
}

// report says what the recordings show.
func (s *ways) report(r *results, original []float32) error {
	r.atLeast("changes of the way", float64(s.changes()), waysChanges, "times")
	var lost, repeated, other, starved, missed float64
	var offsets []measure.Offset
	var lasts []control.Status
	for _, m := range s.moves {
		last, err := m.status()
		if err != nil {
			return err
		}
		m.stop()
		lasts = append(lasts, last)
	}
	s.stays.stop()
	for i, m := range s.moves {
		p, err := follow(m.room, original, lasts[i])
		if err != nil {
			return err
		}
		fmt.Printf("  %s: %d changes by %d moves, not played by in time: %v; %v\n", m.name, m.changes(), m.forced, m.missed, p)
		lost, repeated, other, starved, missed = lost+p.skipped, repeated+p.repeated, other+float64(p.other), starved+float64(p.starved), missed+float64(len(m.missed))
	}
	for _, m := range s.moves {
		o, err := s.against(m)
		if err != nil {
			return err
		}
		offsets = append(offsets, o...)
	}
	r.atMost("samples left out", lost, 0, "")
	r.atMost("samples repeated", repeated, 0, "")
	r.atMost("frames that are not the original's", other, 0, "")
	r.add("besides, cards ran dry for want of a processor", starved, "times")
	r.add("ways that were not taken within 8 s", missed, "")
	median, p99, most := spread(offsets)
	r.add("from a speaker that stays on the LAN, median", us(median), "µs")
	r.add("p99", us(p99), "µs")
	r.add("max", us(most), "µs")
	return nil
}

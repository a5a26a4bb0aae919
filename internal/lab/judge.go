package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/internal/measure"
)

// room is one speaker of a run and what its virtual card does wrong.
type room struct {
	name    string
	cardPPM float64
	hostPPM float64
	*machine
}

// recording is the file that the room's card records to.
func (r *room) recording() string {
	return filepath.Join(r.house.dir, strings.ReplaceAll(strings.ToLower(r.name), " ", "-")+".wav")
}

// card is the room's output.
func (r *room) card(seed int) string {
	return fmt.Sprintf("virtual:ppm=%g,swing=2,granularity=8,jitter=15us,seed=%d,record=%s", r.cardPPM, seed, r.recording())
}

// report is what all speakers said at one moment.
type report struct {
	at        int64 // CLOCK_MONOTONIC
	listeners []control.Listener
}

// pair is how two rooms were aligned: measured, and by their own reports.
type pair struct {
	a, b     *room
	measured []measure.Offset
	reported []reported
}

type reported struct {
	at          int64
	late, bound time.Duration
}

// judge compares all rooms after a run.
func judge(rooms []*room, reports []report) ([]pair, error) {
	recordings := make([]*measure.Recording, len(rooms))
	for i, r := range rooms {
		var err error
		if recordings[i], err = loadRecording(r.recording()); err != nil {
			return nil, err
		}
	}
	var pairs []pair
	for i, b := range rooms {
		for j, a := range rooms[:i] {
			offsets, err := measure.Align(recordings[j], recordings[i], 250*time.Millisecond)
			if err != nil {
				return nil, fmt.Errorf("%s and %s: %w", a.name, b.name, err)
			}
			pairs = append(pairs, pair{a: a, b: b, measured: offsets, reported: between(a, b, reports)})
		}
	}
	return pairs, nil
}

// between turns the reports of two rooms into their alignment.
func between(a, b *room, reports []report) (all []reported) {
	for _, r := range reports {
		var x, y *control.Listener
		for i := range r.listeners {
			switch r.listeners[i].Name {
			case a.name:
				x = &r.listeners[i]
			case b.name:
				y = &r.listeners[i]
			}
		}
		if x != nil && y != nil && x.HasReport && y.HasReport {
			all = append(all, reported{at: r.at, late: microseconds(y.DeviationUS - x.DeviationUS), bound: microseconds(x.BoundUS + y.BoundUS)})
		}
	}
	return all
}

// disagreement is the share of reports that differ from what was measured nearest
// to them by more than their own bound, and the worst difference.
func (p pair) disagreement() (outside float64, worst time.Duration) {
	n, bad := 0, 0
	for _, r := range p.reported {
		for _, m := range p.measured {
			if d := r.at - m.Nanos; d < -500e6 || d > 500e6 {
				continue
			}
			n++
			difference := (r.late - m.Late).Abs()
			worst = max(worst, difference)
			if difference > r.bound {
				bad++
			}
			break
		}
	}
	if n == 0 {
		return 1, 0
	}
	return float64(bad) / float64(n), worst
}

func microseconds(us float64) time.Duration { return time.Duration(us * 1e3) }

func monotonic() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}

// span is a stretch of CLOCK_MONOTONIC.
type span struct{ from, to int64 }

// alignedIn returns the alignment of two rooms' recordings in a span.
func alignedIn(a, b *room, during span, step time.Duration) ([]measure.Offset, error) {
	var recordings [2]*measure.Recording
	for i, r := range []*room{a, b} {
		recording, err := loadRecording(r.recording())
		if err != nil {
			return nil, err
		}
		recording.Instants = slices.DeleteFunc(recording.Instants, func(i measure.Instant) bool { return i.Nanos < during.from || i.Nanos > during.to })
		recordings[i] = recording
	}
	return measure.Align(recordings[0], recordings[1], step)
}

package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/internal/measure"
)

// played is what one speaker's recording shows.
type played struct {
	seconds   float64
	starved   int             // breaks where the card ran dry: its process got no processor in time
	skipped   float64         // samples of the original left out
	repeated  float64         // and played again
	other     int             // frames that were nothing of the original
	breaks    []measure.Break // all others
	concealed uint64          // frames made up, by its own account
	dry       int             // times that its card ran dry, by its own account
}

// follow compares a speaker's recording with what was played.
func follow(r *room, original []float32, last control.Status) (p played, err error) {
	recording, err := loadRecording(r.recording())
	if err != nil {
		return p, err
	}
	breaks, from, err := measure.Follow(original, recording.Samples)
	if err != nil {
		return p, fmt.Errorf("%s: %w", r.name, err)
	}
	p = played{seconds: float64(len(recording.Samples)-from) / 48000, concealed: last.Packets.Concealed, dry: int(last.Output.Xruns)}
	for _, b := range breaks {
		switch {
		case b.Frame >= len(recording.Samples)-4800: // the end
			continue
		case b.Frame < from+young && b.Other <= crossfaded: // it may step to a better way's time
			continue
		case p.starved < p.dry && b.Other < longestDry && ranDry(recording.Samples[max(0, b.Frame-b.Other-480):b.Frame+480]):
			p.starved++ // no more of them than it owns up to
			continue
		}
		p.breaks = append(p.breaks, b)
		p.skipped += max(0, b.Skipped)
		p.repeated += max(0, -b.Skipped)
		p.other += b.Other
	}
	return p, nil
}

// young is for how many frames a stream is, docs/MODES.md.
const young = 5 * 48000

// crossfaded is how many frames at most are two sounds at once where playout steps: 10 ms,
// and what the windows by which a recording is followed add at both ends.
const crossfaded = 480 + 2*120

// longestDry is how many frames a card that ran dry stays silent at most; what is longer
// has another reason.
const longestDry = 9600

// ranDry reports whether a stretch of noise has a millisecond of silence, as a card
// plays that is given nothing.
func ranDry(samples []float32) bool {
	quiet := 0
	for _, x := range samples {
		if quiet++; x != 0 {
			quiet = 0
		}
		if quiet == 48 {
			return true
		}
	}
	return false
}

func (p played) String() string {
	return fmt.Sprintf("%.0f s, %.0f samples left out, %.0f repeated, %d other, in %d places, and %d where the card ran dry; %d frames made up; ran dry %d times: %+v",
		p.seconds, p.skipped, p.repeated, p.other, len(p.breaks), p.starved, p.concealed, p.dry, p.breaks[:min(len(p.breaks), 12)])
}

// against is how a speaker that moves was aligned with the one that stays.
func (s *ways) against(m *mover) ([]measure.Offset, error) {
	a, err := loadRecording(s.stays.recording())
	if err != nil {
		return nil, err
	}
	b, err := loadRecording(m.recording())
	if err != nil {
		return nil, err
	}
	return measure.Align(a, b, 500*time.Millisecond)
}

// spread is the size of offsets: median, p99 and max.
func spread(offsets []measure.Offset) (median, p99, most time.Duration) {
	all := make([]time.Duration, 0, len(offsets))
	for _, o := range offsets {
		all = append(all, o.Late.Abs())
	}
	slices.Sort(all)
	if len(all) == 0 {
		return 0, 0, 0
	}
	return all[len(all)/2], all[min(len(all)-1, len(all)*99/100)], all[len(all)-1]
}

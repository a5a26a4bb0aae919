// Package ladder chooses the bitrate of Opus by what listeners report (docs/spec,
// section 4): down where a network cannot carry it, up again slowly.
//
// It goes down a step at once when more than 5 % are lost, or when three reports in a
// row say more than 1 %; it goes up a step after ten seconds below 0.5 % and 20 ms of
// jitter. What counts is the worst of the listeners that can be helped. A [Ladder] is
// pure and belongs to one goroutine.
package ladder

import "time"

// steps are the bitrates, in bits per second.
func steps() [5]int { return [...]int{32_000, 64_000, 128_000, 192_000, 320_000} }

const (
	bad, poor, good = 0.05, 0.01, 0.005
	poorReports     = 3
	calm            = 20 * time.Millisecond
	upAfter         = 10 * time.Second
	downAgain       = 2 * time.Second // a step is given time to help
)

// Ladder is where on it a stream is. Make it with New.
type Ladder struct {
	step, top int
	poor      int
	well      time.Time // since when everything is
	moved     time.Time
}

// New returns a ladder that begins at, and never exceeds, a bitrate.
func New(bitrate int) *Ladder {
	l := &Ladder{}
	for i, b := range steps() {
		if b <= bitrate {
			l.step, l.top = i, i
		}
	}
	return l
}

// Bitrate returns the present bitrate, in bits per second.
func (l *Ladder) Bitrate() int { return steps()[l.step] }

// Report takes in what one listener lost, as a share, and its jitter, and reports
// whether the bitrate is another now.
func (l *Ladder) Report(loss float64, jitter time.Duration, now time.Time) (changed bool) {
	if loss <= poor {
		l.poor = 0
	} else {
		l.poor++
	}
	if loss > good || jitter > calm {
		l.well = time.Time{}
	} else if l.well.IsZero() {
		l.well = now
	}
	switch {
	case (loss > bad || l.poor >= poorReports) && l.step > 0 && now.Sub(l.moved) >= downAgain:
		l.step--
	case !l.well.IsZero() && now.Sub(l.well) >= upAfter && l.step < l.top:
		l.step++
		l.well = now
	default:
		return false
	}
	l.poor, l.moved = 0, now
	return true
}

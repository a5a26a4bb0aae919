package servo

import (
	"math"
	"time"

	"github.com/tutti-audio/tutti/sync/offset"
	"github.com/tutti-audio/tutti/sync/resample"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// How the ratio is steered.
const (
	// MaxSlew is how fast an error is corrected at most, as a ratio.
	MaxSlew = 400e-6
	// JumpBeyond is the error that is jumped rather than slewed.
	JumpBeyond = 2 * time.Millisecond

	slowest   = 6.0  // seconds; time constant once settled
	fastest   = 0.5  // seconds; time constant at first
	settling  = 0.25 // the time constant is this share of the time since the start
	smoothing = 0.2  // share of the time constant over which the ratio itself is smoothed
	history   = 256  // blocks remembered for reports
)

// Anchor ties the stream to house time: Media is at its source at House, and at
// the speakers one latency later.
type Anchor struct {
	House timebase.House
	Media timebase.Media
}

// Block is where a block of card frames falls in the stream: frame From+i plays
// the media position Track gives for i. Jumped says that it does not continue
// the block before it.
type Block struct {
	From   timebase.Card
	Frames int
	Track  resample.Track
	Jumped bool
}

// Timeline says which media frame belongs at the DAC at each card frame and
// leads playout there. Make it with NewTimeline.
type Timeline struct {
	Card *Card

	anchor  Anchor
	delay   time.Duration // latency and trim
	clock   offset.Estimate
	running bool
	next    timebase.Card // the card frame after the last block
	pos     float64       // media position there
	step    float64       // media frames per card frame there
	own     float64       // of that, what makes up for clocks and errors
	forward float64       // fed-forward step, smoothed
	age     float64       // seconds since the start or the last jump
	blocks  [history]Block
	last    int // blocks written
	jumps   int
}

// NewTimeline returns a timeline for a card.
func NewTimeline(card *Card) *Timeline { return &Timeline{Card: card} }

// SetAnchor ties a stream to house time. delay is how long after its source time
// a frame is to be heard: latency plus trim, in nanoseconds. A new stream starts
// exactly; a change of delay within one is slewed or jumped like any error.
func (t *Timeline) SetAnchor(a Anchor, delay time.Duration) { t.anchor, t.delay = a, delay }

// SetClock gives the newest estimate of house time.
func (t *Timeline) SetClock(e offset.Estimate) { t.clock = e }

// Stop forgets where playout was: the next block starts exactly where it should.
func (t *Timeline) Stop() { t.running = false }

// Ready reports whether card, clock and stream are all known.
func (t *Timeline) Ready() bool {
	return t.Card.Ready() && t.clock.Samples > 0 && t.anchor.House != 0
}

// Jumps counts blocks that did not continue the one before.
func (t *Timeline) Jumps() int { return t.jumps }

// Target returns the media position that belongs at the DAC at card frame n.
func (t *Timeline) Target(n timebase.Card) float64 {
	house := t.clock.HouseAt(t.Card.LocalAt(n))
	return float64(t.anchor.Media) + float64(house.Sub(t.anchor.House)-t.delay)*(timebase.Rate/1e9)
}

// ideal is the step that keeps an error constant, but for what is decided.
func (t *Timeline) ideal() float64 {
	return timebase.Rate / t.Card.Rate() * (1 + t.clock.Drift) / (1 + t.clock.Led)
}

// led is what is decided, as a factor on the step at card frame n.
func (t *Timeline) led(n timebase.Card) float64 { return 1 + t.clock.LedAt(t.Card.LocalAt(n)) }

// Next lays the block of frames card frames from n on. n continues the block
// before unless the card was restarted. Call it only when Ready.
func (t *Timeline) Next(n timebase.Card, frames int) Block {
	target, ideal := t.Target(n), t.ideal()
	wrong := target - t.pos // media frames; above 0: playout is behind
	jumped := !t.running || n != t.next || math.Abs(wrong) > JumpBeyond.Seconds()*timebase.Rate
	if jumped {
		if t.running {
			t.jumps++
		}
		t.pos, t.step, t.forward, t.own, t.age = target, ideal*t.led(n), ideal, ideal, 0
		wrong = 0
	}
	seconds := float64(frames) / t.Card.nominal
	t.steer(wrong, ideal, seconds)
	slope := (t.own*t.led(n+timebase.Card(frames)) - t.step) / float64(frames)
	b := Block{From: n, Frames: frames, Jumped: jumped, Track: resample.Track{Pos: t.pos, Step: t.step, Slope: slope}}
	end := b.Track.At(frames)
	t.pos, t.step = end.Pos, end.Step
	t.next, t.running = n+timebase.Card(frames), true
	t.age += seconds
	t.blocks[t.last%history] = b
	t.last++
	return b
}

// steer changes the step for the coming block.
func (t *Timeline) steer(wrong, ideal, seconds float64) {
	tau := min(max(t.age*settling, fastest), slowest)
	t.forward += (ideal - t.forward) * (1 - math.Exp(-seconds/(tau*smoothing)))
	correction := min(max(wrong/(tau*timebase.Rate), -MaxSlew), MaxSlew)
	t.own += (t.forward + correction - t.own) * (1 - math.Exp(-seconds/(tau*smoothing)))
}

// PPM returns the resampling in parts per million: above 0 means that the card
// plays media faster than its nominal rate.
func (t *Timeline) PPM() float64 {
	if !t.running {
		return 0
	}
	return (t.step*t.Card.nominal/timebase.Rate - 1) * 1e6
}

// Presented is the proof of synchrony: media frame Media was at the DAC at House,
// where it belonged at House − Late. Wrong by at most Bound.
type Presented struct {
	Frame timebase.Card
	Media float64
	House timebase.House
	Local timebase.Local
	Late  time.Duration
	Bound time.Duration
}

// Presented says what was at the DAC at the local instant at. ok is false when
// nothing was, or it is longer ago than the timeline remembers.
func (t *Timeline) Presented(at timebase.Local) (p Presented, ok bool) {
	if !t.running || !t.Ready() {
		return Presented{}, false
	}
	n := timebase.Card(math.Floor(t.Card.FrameAt(at)))
	for i := t.last - 1; i >= max(0, t.last-history); i-- {
		b := t.blocks[i%history]
		if n < b.From || n >= b.From+timebase.Card(b.Frames) {
			continue
		}
		media := b.Track.At(int(n - b.From)).Pos
		local := t.Card.LocalAt(n)
		return Presented{
			Frame: n, Media: media, House: t.clock.HouseAt(local), Local: local,
			Late:  time.Duration((t.Target(n) - media) / timebase.Rate * 1e9),
			Bound: t.clock.Bound(local) + t.Card.Bound(),
		}, true
	}
	return Presented{}, false
}

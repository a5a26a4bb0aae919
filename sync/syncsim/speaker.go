package syncsim

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/tutti-audio/tutti/sync/offset"
	"github.com/tutti-audio/tutti/sync/servo"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// speaker runs one speaker's clocks and servo in true time.
type speaker struct {
	Speaker
	rng      *rand.Rand
	network  Network
	latency  float64
	audible  float64 // true time of the first audible frame
	filter   offset.Filter
	timeline *servo.Timeline
	written  timebase.Card

	nextExchange, nextWake float64

	wrong, firstWrong, worst float64 // seconds; above 0: plays too early
	audibleSeen              bool
	steepest                 float64
	outside, reports, jumps  int
}

func newSpeaker(p Speaker, s Scenario, index uint64) *speaker {
	sp := &speaker{
		Speaker: p, rng: rand.New(rand.NewPCG(s.Seed, index)), network: s.Network,
		latency: s.Latency.Seconds(), audible: s.Join.Seconds(),
		timeline: servo.NewTimeline(servo.NewCard(timebase.Rate, 0, 0)),
	}
	sp.timeline.SetAnchor(servo.Anchor{House: epoch, Media: 0}, s.Latency)
	return sp
}

// local is the host's clock at true time t.
func (sp *speaker) local(t float64) timebase.Local {
	return timebase.Local(math.Round(sp.Host.Elapsed(t)*1e9)) + 1e9
}

func (sp *speaker) runUntil(end float64) {
	for min(sp.nextExchange, sp.nextWake) < end {
		if sp.nextExchange <= sp.nextWake {
			sp.exchange(sp.nextExchange)
		} else {
			sp.wake(sp.nextWake)
		}
	}
}

func (sp *speaker) exchange(t float64) {
	sp.nextExchange = t + sp.filter.Estimate().Interval().Seconds()
	question, answer := sp.rng.Float64(), sp.rng.Float64()
	if min(question, answer) < sp.network.Loss {
		return
	}
	t2 := t + sp.network.sample(sp.rng)
	t4 := t2 + 20e-6 + sp.network.sample(sp.rng)
	noise := func() float64 { return sp.rng.ExpFloat64() * 1e-6 } // of each stamp
	sp.filter.Add(offset.Exchange{
		T1: sp.local(t - noise()), T2: epoch + timebase.House(duration(t2+noise())),
		T3: epoch + timebase.House(duration(t2+20e-6-noise())), T4: sp.local(t4 + noise()),
	})
	sp.timeline.SetClock(sp.filter.Estimate())
}

// wake is one turn of the audio thread: read the position, top the card up.
func (sp *speaker) wake(t float64) {
	every := wakeEvery
	if t < learning {
		every = learnEvery
	}
	sp.nextWake = t + every*(0.9+0.2*sp.rng.Float64())
	played := sp.Card.Elapsed(t) * timebase.Rate
	reported := math.Floor(played/float64(sp.Granularity)) * float64(sp.Granularity)
	late := sp.rng.ExpFloat64() * sp.Lateness.Seconds()
	sp.timeline.Card.Add(servo.Reading{Played: timebase.Card(reported), At: sp.local(t + late)})
	if !sp.timeline.Ready() {
		return
	}
	sp.written = max(sp.written, timebase.Card(played))
	frames := int(played+fill*timebase.Rate) - int(sp.written)
	if frames <= 0 {
		return
	}
	b := sp.timeline.Next(sp.written, frames)
	sp.judge(b)
	if b.Jumped && sp.audibleSeen {
		sp.jumps++
	}
	sp.written += timebase.Card(frames)
}

// judge compares the block's first frame with the truth.
func (sp *speaker) judge(b servo.Block) {
	heard := sp.Card.When(float64(b.From) / timebase.Rate)
	sp.wrong = b.Track.Pos/timebase.Rate - (heard - sp.latency)
	if heard < sp.audible {
		return
	}
	if !sp.audibleSeen {
		sp.audibleSeen, sp.firstWrong = true, sp.wrong
	}
	sp.worst = max(sp.worst, math.Abs(sp.wrong))
	sp.steepest = max(sp.steepest, math.Abs(sp.timeline.PPM()))
	sp.judgeReport(heard - fill)
}

// judgeReport compares what the speaker says it played with what it did.
func (sp *speaker) judgeReport(t float64) {
	p, ok := sp.timeline.Presented(sp.local(t))
	if !ok {
		return
	}
	sp.reports++
	truth := sp.Card.When(float64(p.Frame) / timebase.Rate)
	if math.Abs(p.House.Sub(epoch).Seconds()-truth) > p.Bound.Seconds() {
		sp.outside++
	}
}

// histogram counts errors in steps of 0.1 µs.
type histogram struct {
	counts []int
	total  int
}

const histogramStep = 1e-7

func newHistogram() *histogram { return &histogram{counts: make([]int, 200000)} }

func (h *histogram) add(e float64) {
	h.counts[min(int(e/histogramStep), len(h.counts)-1)]++
	h.total++
}

func (h *histogram) quantile(q float64) time.Duration {
	left := int(q * float64(h.total))
	for i, n := range h.counts {
		if left -= n; left < 0 {
			return duration(float64(i+1) * histogramStep)
		}
	}
	return 0
}

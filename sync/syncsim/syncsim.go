// Package syncsim simulates a house: one source, several speakers with crystals
// of their own in host and card, and the network between them. It runs the same
// code as a speaker does (offset, servo) on simulated instants, hours in
// seconds, and compares what each card plays when with the truth that only a
// simulation knows.
//
// Everything follows from Scenario.Seed: the same scenario gives the same result.
// True time is the source's clock, in seconds since the start. After chrony's
// clknetsim in spirit: scenarios with numeric limits.
package syncsim

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/tutti-audio/tutti/sync/timebase"
)

// Crystal is an oscillator: constant error, and a slow swing with temperature.
type Crystal struct {
	PPM    float64       // constant error
	Swing  float64       // amplitude of the thermal swing, ppm
	Period time.Duration // of the swing
	Phase  float64       // radians
}

// Elapsed returns how many of its own seconds the oscillator counts in t true
// seconds: the integral of its frequency.
func (c Crystal) Elapsed(t float64) float64 {
	e := t * (1 + c.PPM*1e-6)
	if c.Swing != 0 {
		w := 2 * math.Pi / c.Period.Seconds()
		e += c.Swing * 1e-6 / w * (math.Cos(c.Phase) - math.Cos(w*t+c.Phase))
	}
	return e
}

// When is the inverse of Elapsed.
func (c Crystal) When(elapsed float64) float64 {
	t := elapsed
	for range 4 {
		t += elapsed - c.Elapsed(t)
	}
	return t
}

// Speaker is one simulated speaker.
type Speaker struct {
	Host, Card  Crystal
	Granularity int           // frames the card's position moves by
	Lateness    time.Duration // mean delay of the position's time stamp, exponential
}

// Network is the way between source and speaker; both directions alike.
type Network struct {
	Delay  time.Duration // least
	Jitter time.Duration // evenly spread on top
	Queue  time.Duration // mean of an exponential on top
	Loss   float64       // share of messages lost
}

func (n Network) sample(r *rand.Rand) float64 {
	return n.Delay.Seconds() + r.Float64()*n.Jitter.Seconds() + r.ExpFloat64()*n.Queue.Seconds()
}

// Scenario is one simulated run.
type Scenario struct {
	Name     string
	Seed     uint64
	Length   time.Duration
	Join     time.Duration // from the first exchange and reading to the first audible frame
	Latency  time.Duration
	Speakers []Speaker
	Network  Network
	Progress func(done float64) // may be nil
}

// Result is what came of a scenario. Alignment is between any two speakers.
type Result struct {
	First         time.Duration // largest pairwise error at the first audible frame
	P50, P99      time.Duration
	P999, Max     time.Duration // of the pairwise error
	Absolute      time.Duration // largest error of one speaker against the source
	OutsideBound  float64       // share of reports whose error exceeded their own bound
	Jumps         int           // discontinuities of playout once it was audible
	SteepestRatio float64       // largest resampling change against nominal, ppm
	Trace         []Point       // pairwise alignment over time, thinned
}

// Point is the alignment of speaker 1 onwards against speaker 0 at a time.
type Point struct {
	At    time.Duration
	Error []time.Duration
}

const (
	wakeEvery  = 0.020
	learnEvery = 0.004 // a speaker looks at a new card more often
	learning   = 0.5   // seconds
	fill       = 0.060 // seconds of audio queued at the card
	epoch      = timebase.House(1_763_800_000e9)
)

// Run simulates the scenario.
func Run(s Scenario) Result {
	var res Result
	speakers := make([]*speaker, len(s.Speakers))
	for i, p := range s.Speakers {
		speakers[i] = newSpeaker(p, s, uint64(i))
	}
	hist := newHistogram()
	traceEvery := s.Length.Seconds() / 600
	for t, nextTrace, nextPart := 0.0, 0.0, 0.0; t < s.Length.Seconds(); t += 0.1 {
		for _, sp := range speakers {
			sp.runUntil(t + 0.1)
		}
		if t < s.Join.Seconds()+0.2 {
			continue
		}
		if res.First == 0 {
			res.First = first(speakers)
		}
		worst := 0.0
		for i, a := range speakers {
			for _, b := range speakers[:i] {
				e := math.Abs(a.wrong - b.wrong)
				hist.add(e)
				worst = max(worst, e)
			}
		}
		res.Max = max(res.Max, duration(worst))
		if t >= nextTrace {
			res.Trace = append(res.Trace, point(t, speakers))
			nextTrace += traceEvery
		}
		if s.Progress != nil && t >= nextPart {
			s.Progress(t / s.Length.Seconds())
			nextPart += s.Length.Seconds() / 100
		}
	}
	res.P50, res.P99, res.P999 = hist.quantile(0.5), hist.quantile(0.99), hist.quantile(0.999)
	collect(&res, speakers)
	return res
}

func collect(res *Result, speakers []*speaker) {
	outside, reports := 0, 0
	for _, sp := range speakers {
		res.Jumps += sp.jumps
		res.SteepestRatio = max(res.SteepestRatio, sp.steepest)
		res.Absolute = max(res.Absolute, duration(sp.worst))
		outside += sp.outside
		reports += sp.reports
	}
	res.OutsideBound = float64(outside) / float64(max(1, reports))
}

func first(speakers []*speaker) time.Duration {
	least, most := math.Inf(1), math.Inf(-1)
	for _, sp := range speakers {
		least, most = min(least, sp.firstWrong), max(most, sp.firstWrong)
	}
	return duration(most - least)
}

func point(t float64, speakers []*speaker) Point {
	p := Point{At: duration(t)}
	for _, sp := range speakers[1:] {
		p.Error = append(p.Error, duration(sp.wrong-speakers[0].wrong))
	}
	return p
}

func duration(seconds float64) time.Duration { return time.Duration(math.Round(seconds * 1e9)) }

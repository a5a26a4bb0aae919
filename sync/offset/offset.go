// Package offset estimates how house time runs against this host's clock, from
// exchanges of time messages, and says how wrong it can be.
//
// An exchange whose messages waited in queues is off by at most half of what it
// waited. So each sample counts by the inverse of its own variance: the noise of
// the stamps, half the excess of its round trip over the least one seen, and
// what the two crystals may have wandered since. A parabola fitted to the samples
// with these weights (weighted least squares with priors on slope and bend) gives
// offset, drift and their covariance: its tangent at the last sample. Old samples are thinned so that of
// two neighbours the quicker one stays: minutes of history in a fixed ring.
//
// When no sample comes the line goes on (holdover) and the bound grows. Samples
// that contradict the line several times in a row mean that a clock was stopped
// or replaced; the filter then starts anew from them.
//
// Times are nanoseconds; drift is house seconds gained per local second. A
// [Filter] belongs to one goroutine; an [Estimate] is a value. After RFC 5905
// section 10 (the clock filter's idea that the least round trip is the best) and
// Mills, "Computer Network Time Synchronization".
package offset

import (
	"math"
	"slices"
	"time"

	"github.com/tutti-audio/tutti/sync/timebase"
)

// Exchange is one time exchange: the request left at T1 and arrived at T2, the
// answer left at T3 and arrived at T4.
type Exchange struct {
	T1, T4 timebase.Local
	T2, T3 timebase.House
}

// What the filter assumes of clocks and stamps.
const (
	capacity     = 1024
	maxAge       = 600 * time.Second
	stampNoise   = 2e-6   // seconds; of a kernel stamp
	driftPrior   = 60e-6  // standard deviation before anything is known
	bendPrior    = 1.5e-8 // per second; of the drift's change with temperature
	driftWander  = 3e-8   // random walk of the drift, per √s
	rejectSigmas = 6      // beyond this a sample contradicts the line
	rejectFloor  = 500e-6 // seconds; no smaller contradiction counts
	rejectRun    = 4      // contradictions in a row that start the filter anew
	joinBurst    = 8      // exchanges in quick succession at first
	noisy        = 20 * time.Microsecond
	minOrder     = 3 // which least round trip tells how well the least is known
)

// Filter turns exchanges into an [Estimate]. The zero value is ready.
type Filter struct {
	samples  []sample
	rejected []sample
	trips    []float64 // scratch for sorting
	origin   timebase.Local
	base     int64 // house − local of the first sample, ns
	estimate Estimate
	prior    float64 // drift expected before there are samples
	resets   int
}

// sample is an exchange reduced to seconds after origin and base.
type sample struct {
	at     float64 // local midpoint
	offset float64
	trip   float64
}

// Estimate is what is known of house time. It holds for any local instant, with
// a bound that grows away from the samples. The zero Estimate knows nothing.
type Estimate struct {
	At        timebase.Local // of the last sample
	House     timebase.House // house time at At
	Drift     float64        // house seconds gained per local second
	Led       float64        // how much of Drift was decided, not estimated: it is exact
	Samples   int            // how many samples stand behind it; 0 = none
	RoundTrip time.Duration  // the least one

	varOffset, varDrift, covariance float64 // at At, in s², 1, s

	bendAt timebase.Local // from then on Led is greater by bend; 0: never
	bend   float64
}

// Add takes an exchange in and reports whether it was believed.
func (f *Filter) Add(x Exchange) bool {
	trip := x.T4.Sub(x.T1) - x.T3.Sub(x.T2)
	if trip < 0 {
		return false
	}
	middle := x.T1 + (x.T4-x.T1)/2
	difference := (int64(x.T2) - int64(x.T1) + int64(x.T3) - int64(x.T4)) / 2
	if len(f.samples) == 0 {
		f.origin, f.base = middle, difference
	}
	s := sample{at: seconds(middle - f.origin), offset: seconds(difference - f.base), trip: trip.Seconds()}
	if f.contradicts(s) {
		f.rejected = append(f.rejected, s)
		if len(f.rejected) < rejectRun {
			return false
		}
		f.samples = append(f.samples[:0], f.rejected...)
		f.prior = f.estimate.Drift // the crystals are the same
		f.resets++
	} else {
		f.insert(s)
	}
	f.rejected = f.rejected[:0]
	f.thin()
	f.fit()
	return true
}

// Estimate returns what is known now.
func (f *Filter) Estimate() Estimate { return f.estimate }

// Resets counts how often the samples contradicted the line for good.
func (f *Filter) Resets() int { return f.resets }

// contradicts reports whether s is off the line by more than can be explained.
func (f *Filter) contradicts(s sample) bool {
	if f.estimate.Samples < rejectRun {
		return false
	}
	at := f.origin + timebase.Local(s.at*1e9)
	off := math.Abs(s.offset - seconds(int64(f.estimate.HouseAt(at))-int64(at)-f.base))
	sigma := f.estimate.sigma(at)
	excess := max(0, s.trip-f.estimate.RoundTrip.Seconds())
	return off > rejectFloor+rejectSigmas*sigma+excess/2+f.estimate.RoundTrip.Seconds()/2
}

// insert keeps the samples ordered by time; they come nearly so.
func (f *Filter) insert(s sample) {
	i := len(f.samples)
	for i > 0 && f.samples[i-1].at > s.at {
		i--
	}
	f.samples = slices.Insert(f.samples, i, s)
}

// thin drops what is too old and, when the ring is full, the slower of each two
// neighbours in its older half.
func (f *Filter) thin() {
	now := f.samples[len(f.samples)-1].at
	old := 0
	for f.samples[old].at < now-maxAge.Seconds() {
		old++
	}
	f.samples = slices.Delete(f.samples, 0, old)
	if len(f.samples) < capacity {
		return
	}
	kept := f.samples[:0]
	for i := 0; i < capacity/2; i += 2 {
		a, b := f.samples[i], f.samples[i+1]
		if b.trip < a.trip {
			a = b
		}
		kept = append(kept, a)
	}
	f.samples = append(kept, f.samples[capacity/2:]...)
}

// leastTrip returns the least round trip and how far the next few lie above it:
// the distance by which the least one itself may still be too long.
func (f *Filter) leastTrip() (least, gap float64) {
	f.trips = f.trips[:0]
	for _, s := range f.samples {
		i := len(f.trips)
		for i > 0 && f.trips[i-1] > s.trip {
			i--
		}
		if i <= minOrder {
			f.trips = slices.Insert(f.trips, i, s.trip)
			f.trips = f.trips[:min(len(f.trips), minOrder+1)]
		}
	}
	return f.trips[0], f.trips[len(f.trips)-1] - f.trips[0]
}

// fit solves the weighted least squares curve through the samples, with time
// counted from the last one. The curve bends, since crystals do; the estimate is
// its tangent at the last sample.
func (f *Filter) fit() {
	n := len(f.samples)
	now := f.samples[n-1].at
	least, gap := f.leastTrip()
	prior := f.prior
	var m normal
	for _, s := range f.samples {
		x := s.at - now
		m.add(s.weight(now, least, gap), x, s.offset-prior*x)
	}
	m.xx[1][1] += 1 / (driftPrior * driftPrior)
	m.xx[2][2] += 1 / (bendPrior * bendPrior)
	inverse := m.invert()
	c := inverse.times(m.xy)
	c[1] += prior
	scale := f.misfit(now, least, gap, c)
	f.estimate = Estimate{
		At: f.origin + timebase.Local(now*1e9), Drift: c[1], Samples: n, RoundTrip: time.Duration(least * 1e9),
		varOffset: scale * inverse[0][0], varDrift: scale * inverse[1][1], covariance: scale * inverse[0][1],
	}
	f.estimate.House = timebase.House(int64(f.estimate.At) + f.base + int64(math.Round(c[0]*1e9)))
}

// misfit is by how much the residuals exceed what the weights promise, as a
// factor on the variance; never below 1.
func (f *Filter) misfit(now, least, gap float64, curve vector) float64 {
	if len(f.samples) < 4 {
		return 4
	}
	sum := 0.0
	for _, s := range f.samples {
		x := s.at - now
		r := s.offset - curve[0] - curve[1]*x - curve[2]*x*x/2
		sum += s.weight(now, least, gap) * r * r
	}
	return max(1, sum/float64(len(f.samples)-2))
}

// weight is the inverse of the sample's variance as seen from now. A message
// that waited e in one direction is off by e/2, evenly spread: variance e²/12.
func (s sample) weight(now, least, gap float64) float64 {
	excess := s.trip - least + gap
	age := now - s.at
	return 1 / (stampNoise*stampNoise + excess*excess/12 + driftWander*driftWander*age*age*age/3)
}

// HouseAt returns house time at the local instant l.
func (e Estimate) HouseAt(l timebase.Local) timebase.House {
	since := float64(l - e.At)
	return e.House + timebase.House(l-e.At) + timebase.House(math.Round(since*e.Drift+e.bent(l)))
}

// LocalAt returns the local instant of house time h.
func (e Estimate) LocalAt(h timebase.House) timebase.Local {
	since := float64(h - e.House)
	straight := e.At + timebase.Local(h-e.House) - timebase.Local(math.Round(since*e.Drift/(1+e.Drift)))
	return straight - timebase.Local(math.Round(e.bent(straight)/(1+e.Drift+e.bend)))
}

// Interval returns how long to wait before the next exchange: little at first, so
// that a speaker that joins knows the time at once; then more often on a network
// whose delays vary than on a quiet one.
func (e Estimate) Interval() time.Duration {
	switch {
	case e.Samples < joinBurst:
		return 12 * time.Millisecond
	case e.Sigma(e.At) > noisy:
		return 30 * time.Millisecond
	}
	return 125 * time.Millisecond
}

// Sigma returns the standard deviation of HouseAt(l), not counting asymmetry.
func (e Estimate) Sigma(l timebase.Local) time.Duration { return time.Duration(e.sigma(l) * 1e9) }

func (e Estimate) sigma(l timebase.Local) float64 {
	x := seconds(l - e.At)
	ahead := math.Abs(x)
	wander := driftWander * driftWander * ahead * ahead * ahead / 3
	return math.Sqrt(max(0, e.varOffset+2*x*e.covariance+x*x*e.varDrift) + wander)
}

// Bound returns by how much HouseAt(l) can be wrong: three standard deviations,
// and half the least round trip in case one direction takes all of it.
func (e Estimate) Bound(l timebase.Local) time.Duration {
	return 3*e.Sigma(l) + e.RoundTrip/2
}

// seconds converts a difference in nanoseconds.
func seconds[T ~int64](ns T) float64 { return float64(ns) * 1e-9 }

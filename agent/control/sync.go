package control

import (
	"sync"
	"time"
)

// Sync is how all speakers of the present stream are aligned.
type Sync struct {
	Channel   string     `json:"channel"` // empty: nothing is playing
	Source    string     `json:"source"`  // its name
	Listeners []Listener `json:"listeners"`
	Pairs     []Pair     `json:"pairs"`           // of the listeners that play, at most 64 of those
	Worst     *Pair      `json:"worst,omitempty"` // the pair that is furthest apart
}

// Pair is how far two speakers are apart.
type Pair struct {
	A            string  `json:"a"` // names
	B            string  `json:"b"`
	AID          string  `json:"a_id"`
	BID          string  `json:"b_id"`
	DifferenceUS float64 `json:"difference_us"` // above 0: a plays later than b
	BoundUS      float64 `json:"bound_us"`      // by which that can be wrong: the sum of both bounds
}

// maxPaired is how many listeners are compared one by one: 64 make 2,016 pairs.
const maxPaired = 64

// Align compares the listeners that say what they present.
func Align(listeners []Listener) (pairs []Pair, worst *Pair) {
	var playing []Listener
	for _, l := range listeners {
		if l.Playing && l.HasReport {
			playing = append(playing, l)
		}
	}
	pairs = []Pair{}
	for i, a := range playing {
		for _, b := range playing[:i] {
			p := Pair{A: b.Name, B: a.Name, AID: b.ID, BID: a.ID, DifferenceUS: b.DeviationUS - a.DeviationUS, BoundUS: a.BoundUS + b.BoundUS}
			if i < maxPaired {
				pairs = append(pairs, p)
			}
			if worst == nil || abs(p.DifferenceUS) > abs(worst.DifferenceUS) {
				worst = &p
			}
		}
	}
	return pairs, worst
}

func abs(v float64) float64 { return max(v, -v) }

// alignment asks the source, however many ask here, at most a few times a second.
type alignment struct {
	speaker Speaker

	mu    sync.Mutex
	asked time.Time
	last  Sync
	err   error
}

// freshFor is how long an answer of the source is passed on.
const freshFor = 400 * time.Millisecond

func (a *alignment) get() (Sync, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Since(a.asked) < freshFor {
		return a.last, a.err
	}
	v := Sync{}
	if stream := a.speaker.Status().Stream; stream != nil {
		v.Channel, v.Source = stream.Channel, stream.Source
	}
	var found []Listener
	found, a.err = a.speaker.Listeners()
	v.Listeners = list(found)
	v.Pairs, v.Worst = Align(v.Listeners)
	a.last, a.asked = v, time.Now()
	return a.last, a.err
}

package lan

import (
	"crypto/rand"
	"encoding/binary"
	"time"

	"github.com/tutti-audio/tutti/sync/offset"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const (
	// enough exchanges to play by; on a network that loses many, enoughTime
	// serves too.
	enoughSamples = 8
	enoughTime    = 500 * time.Millisecond
)

// request is a request that left.
type request struct {
	id    uint32
	basic uint64
}

// exchange asks the sender for the time, again and again. It takes in what came
// since it last asked and then asks anew: it is the kernel's stamps that count, so
// an answer may wait, and an exchange costs this host one waking up.
func (r *Receiver) exchange() {
	var filter offset.Filter
	began := r.config.Clock.Now()
	next := began // time to ask
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-timer.C:
		}
		now := r.config.Clock.Now()
		ok := r.takeAnswers(&filter)
		if ok {
			e := filter.Estimate()
			r.estimate.Store(&e)
			r.stats.answered = now
		}
		if e := r.Clock(); ok || r.stream.Term != 0 && e.Samples > 0 {
			r.config.Sink.SetClock(r.streamTime(e, now))
			if !r.started.Load() && (e.Samples >= enoughSamples || now.Sub(began) > enoughTime) {
				r.begin(e, now)
			}
		}
		if r.doubt(now) || now >= next {
			r.ask()
			next = now.Add(r.Clock().Interval())
		}
		timer.Reset(r.pause(now, next))
	}
}

// pause is how long exchange may sleep.
func (r *Receiver) pause(now, next timebase.Local) time.Duration {
	d := r.untilBend(now, next.Sub(now))
	if r.standing.Load() {
		d = min(d, watchEvery)
	}
	return max(d, 0)
}

// ask sends one request.
func (r *Receiver) ask() {
	var random [16]byte
	_, _ = rand.Read(random[:])
	basic, interleaved := binary.BigEndian.Uint64(random[:])|1, binary.BigEndian.Uint64(random[8:])|1
	message := r.stats.client.Request(r.stats.scratch[:0], basic, interleaved, r.config.Clock.Now())
	if id, ok := r.tell(message); ok {
		r.stats.asked[id%uint32(len(r.stats.asked))] = request{id: id, basic: basic}
	}
	r.stats.requests.Add(1)
}

// tell sends a datagram from the clock socket and returns which of its datagrams
// that was.
func (r *Receiver) tell(b []byte) (id uint32, ok bool) {
	r.stats.telling.Lock()
	defer r.stats.telling.Unlock()
	id = r.stats.told
	if err := r.clock.Send(b, r.leader.Load().server); err != nil {
		return id, false
	}
	r.stats.told++
	return id, true
}

// takeAnswers reads what has come to the clock socket and reports whether the
// filter knows more now.
func (r *Receiver) takeAnswers(filter *offset.Filter) (ok bool) {
	for sent, more := r.clock.NextSent(); more; sent, more = r.clock.NextSent() {
		if q := r.stats.asked[sent.ID%uint32(len(r.stats.asked))]; q.id == sent.ID {
			r.stats.client.Transmitted(q.basic, sent.At)
		}
	}
	for n := 0; n < maxBatches && r.clock.Receive() > 0; n++ {
		for i := range r.clock.Len() {
			data, from, at := r.clock.At(i)
			switch {
			case !r.fromLeader(from) && !r.fromStandBy(from):
				r.stats.foreign.Add(1)
			case !isClock(data):
				r.takeReport(data, from)
			case r.takeAnswer(filter, data, at):
				ok = true
			}
		}
	}
	return ok
}

// takeAnswer completes an exchange.
func (r *Receiver) takeAnswer(filter *offset.Filter, b []byte, at timebase.Local) bool {
	s, ok, err := r.stats.client.Response(b, at)
	if err != nil {
		r.stats.foreign.Add(1)
		return false
	}
	if !ok {
		return false
	}
	r.stats.answers.Add(1)
	return filter.Add(offset.Exchange{T1: s.T1, T2: s.T2, T3: s.T3, T4: s.T4})
}

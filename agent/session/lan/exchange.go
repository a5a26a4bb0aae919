package lan

import (
	"crypto/rand"
	"encoding/binary"
	"time"

	"github.com/tutti-audio/tutti/ostp/clockmsg"
	"github.com/tutti-audio/tutti/ostp/control"
	"github.com/tutti-audio/tutti/sync/offset"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const (
	// enough exchanges to play by; on a network that loses many, enoughTime
	// serves too.
	enoughSamples = 8
	enoughTime    = 500 * time.Millisecond
)

// request is what exchange tells readClock about a request that left.
type request struct {
	id    uint32
	basic uint64
}

// exchange asks the sender for the time, again and again.
func (r *Receiver) exchange() {
	var random [16]byte
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-timer.C:
		}
		_, _ = rand.Read(random[:])
		basic, interleaved := binary.BigEndian.Uint64(random[:])|1, binary.BigEndian.Uint64(random[8:])|1
		r.stats.clock.Lock()
		message := r.stats.client.Request(r.stats.scratch[:0], basic, interleaved, r.config.Clock.Now())
		if _, err := r.clock.WriteToUDPAddrPort(message, r.server); err == nil {
			r.stats.asked[r.stats.sent%uint32(len(r.stats.asked))] = request{id: r.stats.sent, basic: basic}
			r.stats.sent++
		}
		r.stats.clock.Unlock()
		r.stats.requests.Add(1)
		timer.Reset(r.Clock().Interval())
	}
}

// readClock takes the answers in and passes each new estimate on.
func (r *Receiver) readClock() {
	var filter offset.Filter
	began := r.config.Clock.Now()
	buf := make([]byte, control.MaxSize+1)
	for {
		n, from, at, err := r.clock.Read(buf)
		if err != nil {
			if r.ctx.Err() != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if !r.fromSender(from) {
			r.stats.foreign.Add(1)
			continue
		}
		if !isClock(buf[:n]) {
			r.takeReport(buf[:n], from)
			continue
		}
		sample, ok := r.answer(buf[:n], at)
		if !ok || !filter.Add(offset.Exchange{T1: sample.T1, T2: sample.T2, T3: sample.T3, T4: sample.T4}) {
			continue
		}
		e := filter.Estimate()
		r.estimate.Store(&e)
		r.config.Sink.SetClock(e)
		if !r.started.Load() && (e.Samples >= enoughSamples || at.Sub(began) > enoughTime) {
			r.begin(e, at)
		}
	}
}

// answer completes an exchange with the kernel's stamps.
func (r *Receiver) answer(b []byte, at timebase.Local) (clockmsg.Sample, bool) {
	r.stats.clock.Lock()
	defer r.stats.clock.Unlock()
	for {
		sent, ok := r.clock.NextSent()
		if !ok {
			break
		}
		if q := r.stats.asked[sent.ID%uint32(len(r.stats.asked))]; q.id == sent.ID {
			r.stats.client.Transmitted(q.basic, sent.At)
		}
	}
	sample, ok, err := r.stats.client.Response(b, at)
	if err != nil {
		r.stats.foreign.Add(1)
	}
	if ok {
		r.stats.answers.Add(1)
	}
	return sample, ok && err == nil
}

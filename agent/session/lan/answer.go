package lan

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/tutti-audio/tutti/internal/udp"
	"github.com/tutti-audio/tutti/ostp/clockmsg"
	"github.com/tutti-audio/tutti/ostp/control"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// answer serves the clock port: time requests and the speakers' reports.
func (o *outlet) answer() {
	var server clockmsg.Server
	var limit limiter
	sent := sentAnswers{server: &server, house: &o.house}
	buf := make([]byte, control.MaxSize+1)
	out := make([]byte, 0, clockmsg.Size)
	for {
		n, from, at, err := o.answers.Read(buf)
		if err != nil {
			if o.closing.Load() {
				return
			}
			o.receivers.sendFailed(o.log, "clock port", err)
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if !limit.allow(from.Addr(), at) {
			o.refused.Add(1)
			o.flooded.warn(o.log, "too many requests to the clock port: what is beyond 200 a second is not answered", "from", from.Addr().Unmap())
			continue
		}
		house := o.house.Load()
		if house == nil { // not in charge yet: a stand-by does not know the time
			continue
		}
		if !isClock(buf[:n]) {
			o.takeReport(buf[:n], from, house.at(at))
			continue
		}
		sent.collect(o.answers.NextSent)
		asked := house.at(o.clock.Now())
		answer, key, err := server.Respond(out, buf[:n], house.at(at), asked)
		if err != nil {
			continue
		}
		if _, err := o.answers.WriteToUDPAddrPort(answer, from); err == nil {
			sent.add(key, asked)
			sent.collect(o.answers.NextSent)
		}
	}
}

// takeReport files a speaker's report or goodbye.
func (o *outlet) takeReport(b []byte, from netip.AddrPort, now timebase.House) {
	r, err := control.Parse(b, now)
	if err != nil {
		return
	}
	if r.Receiver != nil && r.Receiver.Stream == o.stream.SSRC {
		o.receivers.report(from, *r.Receiver, time.Now())
	}
	for _, ssrc := range r.Goodbye {
		o.receivers.leave(ssrc, from)
	}
}

// sentAnswers matches the kernel's transmit stamps, which come by datagram
// number, with the answers they belong to.
type sentAnswers struct {
	server *clockmsg.Server
	house  *atomic.Pointer[houseClock]
	next   uint32
	ring   [256]struct {
		id    uint32
		key   clockmsg.Timestamp
		asked timebase.House
	}
}

func (a *sentAnswers) add(key clockmsg.Timestamp, asked timebase.House) {
	slot := &a.ring[a.next%uint32(len(a.ring))]
	slot.id, slot.key, slot.asked = a.next, key, asked
	a.next++
}

func (a *sentAnswers) collect(nextSent func() (udp.Sent, bool)) {
	for {
		stamp, ok := nextSent()
		if !ok {
			return
		}
		slot := &a.ring[stamp.ID%uint32(len(a.ring))]
		if slot.id == stamp.ID {
			a.server.Transmitted(slot.key, slot.asked, a.house.Load().at(stamp.At))
		}
	}
}

// limiter is a token bucket per address, in a fixed table: addresses that share a
// place share a bucket. A speaker asks 83 times a second for a
// tenth of a second when it joins, then 8 to 33 times.
type limiter struct {
	buckets [1024]struct {
		tokens float64
		last   timebase.Local
	}
}

const (
	requestRate  = 200.0 // a second and address
	requestBurst = 100.0
)

func (l *limiter) allow(a netip.Addr, now timebase.Local) bool {
	bytes := a.As16()
	h := uint32(2166136261)
	for _, b := range bytes {
		h = (h ^ uint32(b)) * 16777619
	}
	k := &l.buckets[h%uint32(len(l.buckets))]
	k.tokens = min(requestBurst, k.tokens+now.Sub(k.last).Seconds()*requestRate)
	k.last = now
	if k.tokens < 1 {
		return false
	}
	k.tokens--
	return true
}

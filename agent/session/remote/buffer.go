package remote

import (
	"time"

	"github.com/tutti-audio/tutti/sync/arrival"
	"github.com/tutti-audio/tutti/sync/offset"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const (
	missShare   = 0.01 // of packets may need longer
	headroom    = 1.25 // on that
	guard       = 3 * time.Millisecond
	deviceShare = 0.3 // of the stream's latency is queued in the device: what is there can be mended no more
	deviceMost  = 60 * time.Millisecond
	leastBuffer = 40 * time.Millisecond
	mostBuffer  = 2 * time.Second
	knowAfter   = 100 // packets
	leapBy      = 10 * time.Millisecond
	mostAhead   = offset.LeapBeyond / 2 // of what packets wait now: another way differs, too
	shrinkAfter = 20 * time.Second      // of needing less

	growAfter   = 4 * time.Second // of giving up too much: parity was given time to help
	leastParity = 4               // packets, of the shortest block that is worth it
	mostMore    = 120 * time.Millisecond
	tooMuch     = 0.003 // of the packets given up: waiting longer is better
	clean       = 0.002 // of the packets lost: nothing is to be mended
)

// queue is how much of a stream's latency is to be queued in the sound device.
func queue(latency time.Duration) time.Duration {
	return min(time.Duration(float64(latency)*deviceShare), deviceMost)
}

// buffer decides for how long packets wait: for the stream's latency, or for as long as
// 99 of 100 need, and on a path that loses some, as mending takes. It grows at once when
// packets come too late, because that is heard anyway, and while the stream is young,
// where so much is to be held on purpose; else playout is led there without being heard,
// and back after a while.
type buffer struct {
	device time.Duration // queued in it
	goal   time.Duration
	actual time.Duration // what playout has been led to
	at     timebase.Local
	late   int // packets that came after their time, lately
	since  timebase.Local
	less   timebase.Local
	more   time.Duration  // because of what was given up all the same
	well   timebase.Local // when little was
	lossy  timebase.Local
}

// usable is how long after its turn to arrive a packet is still of use.
func (b *buffer) usable() time.Duration { return b.actual - b.device - guard }

// came takes in a packet's delay.
func (b *buffer) came(delay time.Duration, at timebase.Local) {
	if at.Sub(b.since) > time.Second {
		b.late, b.since = 0, at
	}
	if b.actual > 0 && delay > b.usable() {
		b.late++
	}
}

// account takes in, once a second, what share was lost on the way, and what share was
// given up although it was asked for every step later than before.
func (b *buffer) account(lost, gaveUp float64, step time.Duration, at timebase.Local) {
	if lost > clean {
		b.lossy = at
	} else if at.Sub(b.lossy) > shrinkAfter {
		b.more = 0
	}
	if gaveUp <= tooMuch || b.well == 0 {
		b.well = at
	}
	if at.Sub(b.well) > growAfter {
		b.more, b.well = min(b.more+step, mostMore), at
	}
}

// mend is how long mending takes: asking again, or parity, whichever is quicker.
func (b *buffer) mend(packet, roundTrip time.Duration, at timebase.Local) time.Duration {
	if b.lossy == 0 || at.Sub(b.lossy) > shrinkAfter {
		return 0
	}
	return min(packet+roundTrip, leastParity*packet) + b.more
}

// length returns for how long packets are to wait now, and whether playout should go
// there at once: least at least. mend is how long mending takes; young says that the
// stream has only just begun to be heard.
func (b *buffer) length(c *arrival.Clock, least, mend time.Duration, young bool, at timebase.Local) (wait time.Duration, leap bool) {
	need := b.device + guard + mend + time.Duration(float64(c.Delay(missShare))*headroom)
	need = min(max(need, least, leastBuffer), mostBuffer)
	b.follow(at)
	switch {
	case b.goal == 0:
		b.goal, b.actual, b.less = need, need, at
	case c.Packets() < knowAfter:
	case need > b.goal:
		b.goal, b.less = need, at
	case need > b.goal*9/10:
		b.less = at
	case at.Sub(b.less) > shrinkAfter:
		b.goal, b.less = need, at
	}
	if leap = b.goal > b.actual+leapBy && (b.late > 2 || young && least > b.actual+leapBy); leap {
		b.actual, b.late = b.goal, 0
	}
	return b.ahead(), leap
}

// ahead is where playout is to be led next: to the goal, but never by so much that
// whoever leads it (offset.Follower) would leap.
func (b *buffer) ahead() time.Duration {
	return min(max(b.goal, b.actual-mostAhead), b.actual+mostAhead)
}

// follow moves actual as playout is led (offset.Follower).
func (b *buffer) follow(at timebase.Local) {
	most := time.Duration(float64(at.Sub(b.at)) * offset.MaxLead)
	b.actual += min(max(b.goal-b.actual, -most), most)
	b.at = at
}

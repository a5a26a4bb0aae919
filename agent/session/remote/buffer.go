package remote

import (
	"time"

	"github.com/tutti-audio/tutti/sync/arrival"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const (
	missShare   = 0.01 // of packets may need longer
	headroom    = 1.25 // on what the others need
	slack       = 25 * time.Millisecond
	deviceShare = 0.55 // of the stream's latency is queued in the device,
	deviceMost  = 60 * time.Millisecond
	leastBuffer = 40 * time.Millisecond
	mostBuffer  = 2 * time.Second
	knowAfter   = 100 // packets
	leapBy      = 40 * time.Millisecond
	shrinkAfter = 20 * time.Second // of needing less
)

// buffer decides for how long packets wait: as long as 99 of 100 need, and as it takes
// to ask for one again. It grows at once when packets come too late, because that is
// heard anyway, and shrinks after a while; playout is led there without being heard.
type buffer struct {
	now   time.Duration
	late  int // packets that came after their time, lately
	less  timebase.Local
	since timebase.Local
}

// came takes in a packet's delay.
func (b *buffer) came(delay time.Duration, at timebase.Local) {
	if at.Sub(b.since) > time.Second {
		b.late, b.since = 0, at
	}
	if b.now > 0 && delay > b.now {
		b.late++
	}
}

// length returns for how long packets are to wait now, and whether playout should go
// there at once.
func (b *buffer) length(c *arrival.Clock, latency, roundTrip time.Duration, at timebase.Local) (wait time.Duration, leap bool) {
	device := min(time.Duration(float64(latency)*deviceShare), deviceMost)
	need := device + slack + roundTrip + time.Duration(float64(c.Delay(missShare))*headroom)
	need = min(max(need, latency, leastBuffer), mostBuffer)
	switch {
	case b.now == 0:
		b.now, b.less = need, at
	case c.Packets() < knowAfter:
	case need > b.now:
		leap = need > b.now+leapBy && b.late > 2
		b.now, b.less = need, at
	case need > b.now*9/10:
		b.less = at
	case at.Sub(b.less) > shrinkAfter:
		b.now, b.less = need, at
	}
	return b.now, leap
}

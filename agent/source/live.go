package source

import (
	"io"
	"sync"
	"time"

	"github.com/tutti-audio/tutti/sync/resample"
)

// A live input fills a ring at its own pace and live takes from it at ours.
// Its Read never waits: what is missing is silence, with fades at the edges.
//
// A writer is elastic when it waits for us, as `cat` into a pipe does: then the
// ring is full, nothing is lost and nothing is steered. Otherwise it has a clock
// of its own, and the resampler holds the ring near its target fill.
const (
	fadeFrames = 96 // 2 ms
	takeStep   = 16 // so that the converter takes little more than it needs
	maxPPM     = 500
)

// live is the meeting point of a feeder goroutine and the paced reader.
type live struct {
	name     string
	rate     int // of the input
	channels int
	finite   bool // the end of the input is the end of the source
	stop     func() error

	mu    sync.Mutex
	space *sync.Cond // the reader took something, or closed

	ring  []float32
	first int // oldest frame in ring
	fill  int // frames in ring

	target   int // wanted fill
	ended    bool
	closed   bool
	taken    int64 // frames read from the ring, in all
	waited   int64 // taken when the feeder last found the ring full
	waits    bool  // the feeder has waited at all
	calmFrom int64 // taken since when the ring is full without pressure
	late     int   // output frames for which the fill has been far too high

	conv    *resample.Converter
	playing bool
	gain    float32
	steer   steering
	flushed bool
	played  int64
	status  LiveStatus
	tags    Tags
}

// newLive makes a source whose ring holds half a second and aims at target.
func newLive(name string, rate, channels int, target time.Duration) *live {
	l := &live{
		name: name, rate: rate, channels: channels,
		ring:   make([]float32, rate/2*channels),
		target: int(target.Seconds() * float64(rate)),
		conv:   resample.NewConverter(rate, Rate, channels),
		tags:   Tags{Title: name},
	}
	l.space = sync.NewCond(&l.mu)
	return l
}

func (l *live) Channels() int { return l.channels }

// capacity returns the frames the ring holds.
func (l *live) capacity() int { return len(l.ring) / l.channels }

func (l *live) Read(dst []float32) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.space.Signal()
	n := len(dst) / l.channels
	dst = dst[:n*l.channels]
	switch {
	case l.closed:
		return 0, io.EOF
	case l.finite && l.ended && (l.fill == 0 || l.flushed):
		return l.flush(dst)
	}
	l.begin(n)
	got := 0
	if l.playing {
		l.steering(n)
		got = l.ramp(dst, l.take(dst), n)
	}
	clear(dst[got*l.channels:])
	if l.finite && l.ended && l.fill == 0 && got < n {
		rest, err := l.flush(dst[got*l.channels:])
		l.played += int64(got)
		if got+rest > 0 {
			err = nil
		}
		return got + rest, err
	}
	l.played += int64(n)
	return n, nil
}

// begin ends a silence once there is enough, or all there will be.
func (l *live) begin(n int) {
	if l.playing {
		return
	}
	l.target = min(max(l.target, l.need(n)), l.capacity()*3/4)
	if l.fill >= l.target || l.ended && l.fill > 0 {
		l.playing, l.gain = true, 0
		l.steer.restart(l.fill)
	}
}

// need returns the input frames that n output frames and a fade-out may take.
func (l *live) need(n int) int {
	return (n+fadeFrames)*l.rate/Rate*1001/1000 + 2*takeStep*max(1, l.rate/Rate)
}

// take converts from the ring into dst and returns the frames written.
func (l *live) take(dst []float32) int {
	room := len(dst) / l.channels
	for n := 0; ; {
		k := min(takeStep, l.fill, l.capacity()-l.first)
		src := l.ring[l.first*l.channels : (l.first+k)*l.channels]
		written, used := l.conv.Process(dst[n*l.channels:], src)
		n += written
		l.advance(used)
		if n == room || l.fill == 0 {
			return n
		}
	}
}

// advance drops the oldest frames.
func (l *live) advance(frames int) {
	l.first = (l.first + frames) % l.capacity()
	l.fill -= frames
	l.taken += int64(frames)
}

// ramp fades got frames of dst in, or out when the ring runs dry; it returns
// how many are left before the silence.
func (l *live) ramp(dst []float32, got, n int) int {
	step := float32(1.0 / fadeFrames)
	if l.fill < l.need(n)-n*l.rate/Rate && (!l.finite || !l.ended) {
		step = -step
	}
	if step > 0 && l.gain == 1 && got == n {
		return got
	}
	for i := range got {
		l.gain = max(min(l.gain+step, 1), 0)
		if l.gain == 0 {
			got = i
			break
		}
		for c := range l.channels {
			dst[i*l.channels+c] *= l.gain
		}
	}
	if l.gain == 0 || got < n {
		l.dry()
	}
	return got
}

// dry ends playing for lack of data.
func (l *live) dry() {
	if l.finite && l.ended {
		return
	}
	l.playing, l.gain = false, 0
	if l.ended {
		l.advance(l.fill) // less than the fade
		l.conv.Reset()
		return
	}
	l.status.Underruns++
	l.target = min(l.target*3/2, l.capacity()*3/4)
}

// flush yields the converter's rest at the end of a finite input.
func (l *live) flush(dst []float32) (int, error) {
	if l.flushed {
		return 0, io.EOF
	}
	n := l.conv.Flush(dst)
	l.flushed = n < len(dst)/l.channels
	l.played += int64(n)
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// steering holds the fill near its target unless the writer is elastic. What
// was waiting when we came, more than steering can catch up with, is dropped
// once ten seconds have shown that the writer is not.
func (l *live) steering(n int) {
	elastic := l.waits && l.taken-l.waited < int64(l.rate)
	l.late += n
	if elastic || l.ended || l.finite || l.fill < l.target+l.rate/10 {
		l.late = 0
	}
	if l.late > 10*Rate {
		l.late = 0
		l.overrun(0)
	}
	l.conv.SetPPM(l.steer.update(l.fill, l.target, l.rate, n, elastic || l.ended))
}

func (l *live) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.status
	s.Playing, s.Fill, s.PPM = l.playing, duration(int64(l.fill), l.rate), l.steer.ppm
	return Status{Input: l.name, Count: 1, Elapsed: duration(l.played, Rate), Tags: l.tags, Live: &s}
}

// Close ends Read and the feeder.
func (l *live) Close() error {
	l.mu.Lock()
	was := l.closed
	l.closed = true
	l.space.Broadcast()
	l.mu.Unlock()
	if was {
		return nil
	}
	return l.stop()
}

package syncsim

import (
	"math"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/sync/course"
	"github.com/tutti-audio/tutti/sync/offset"
	"github.com/tutti-audio/tutti/sync/servo"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// bending is a room with perfect readings that plays by a course.
type bending struct {
	ppm    float64       // of its card
	starts float64       // seconds
	queue  time.Duration // in its device
	hears  time.Duration // how often it looks what the course is

	timeline *servo.Timeline
	written  timebase.Card
	heard    float64
	blocks   []servo.Block
}

// at returns what the room plays at t.
func (b *bending) at(t float64) (media float64, ok bool) {
	n := timebase.Card(b.frames(t))
	for i := len(b.blocks) - 1; i >= 0; i-- {
		if k := b.blocks[i]; n >= k.From && n < k.From+timebase.Card(k.Frames) {
			return k.Track.At(int(n-k.From)).Pos + (b.frames(t)-float64(n))*k.Track.Step, true
		}
	}
	return 0, false
}

func (b *bending) frames(t float64) float64 {
	return (t - b.starts) * timebase.Rate * (1 + b.ppm*1e-6)
}

// turn is what the room does at t.
func (b *bending) turn(c *course.Course, t float64) {
	if t < b.starts {
		return
	}
	local := timebase.Local(t * 1e9)
	if t-b.heard >= b.hears.Seconds() {
		b.heard = t
		b.timeline.SetClock(offset.Known(local, epoch+timebase.House(local), 0, 100, 0).Along(c, local))
	}
	b.timeline.Card.Add(servo.Reading{Played: timebase.Card(b.frames(t)), At: local})
	if frames := int(b.frames(t+b.queue.Seconds())) - int(b.written); frames > 0 && b.timeline.Ready() {
		b.blocks = append(b.blocks, b.timeline.Next(b.written, frames))
		b.written += timebase.Card(frames)
	}
}

// Rooms that hear the same course stay together while it bends as far and as fast as it
// may, however long each has played and however much waits in its device.
func TestBendTogether(t *testing.T) {
	rooms := []*bending{
		{ppm: 120, queue: 20 * time.Millisecond, hears: 20 * time.Millisecond},
		{ppm: -150, queue: 60 * time.Millisecond, hears: 125 * time.Millisecond, starts: 28},
		{queue: 200 * time.Millisecond, hears: 35 * time.Millisecond, starts: 55},
	}
	for _, r := range rooms {
		r.timeline = servo.NewTimeline(servo.NewCard(timebase.Rate, r.ppm, 1))
		r.timeline.SetAnchor(servo.Anchor{House: epoch}, 300*time.Millisecond)
	}
	var c course.Course
	goal := course.Leg{From: epoch, Stream: epoch, Drift: 20e-6}
	worst, led := 0.0, 0.0
	for i := 0; i < 90_000; i++ {
		now := float64(i) * 1e-3
		h := epoch + timebase.House(now*1e9)
		switch i { // how much is buffered changes: by what is led over
		case 30_000:
			goal.Stream -= 4e6
		case 60_000:
			goal.Stream += 6e6
		}
		if l, ok := c.Steer(h, goal); ok {
			led = max(led, math.Abs(l.Drift))
		}
		if i%5 != 0 {
			continue
		}
		for _, r := range rooms {
			r.turn(&c, now)
		}
		for k, a := range rooms {
			for _, b := range rooms[:k] {
				x, ok := a.at(now)
				y, both := b.at(now)
				if ok && both && now > a.starts+1 {
					worst = max(worst, math.Abs(x-y)/timebase.Rate)
				}
			}
		}
	}
	t.Logf("at most %.2f µs apart; the course ran up to %.0f ppm off", worst*1e6, led*1e6)
	if worst > 3e-6 || led < 400e-6 {
		t.Errorf("rooms are %.2f µs apart (limit 3) on a course that ran up to %.0f ppm off (at least 400)", worst*1e6, led*1e6)
	}
}

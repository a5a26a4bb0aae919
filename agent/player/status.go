package player

import (
	"time"

	"github.com/tutti-audio/tutti/agent/output"
	"github.com/tutti-audio/tutti/sync/playout"
	"github.com/tutti-audio/tutti/sync/servo"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// Status is what the audio thread last said about itself.
type Status struct {
	At       timebase.Local // when it said so
	Output   output.Format
	Open     bool   // the device is there
	Problem  string // why it is not
	RealTime bool   // the thread is scheduled first-in first-out
	Xruns    uint64
	Opened   uint64        // how often the device was opened
	Dropped  uint64        // packets that found the ring full
	Fill     time.Duration // queued in the device
	Queue    time.Duration // as much as is to be queued there
	WakeLate time.Duration // how late the thread woke, at worst since the last snapshot

	Volume int // as last set
	Muted  bool
	Trim   time.Duration

	Playing   bool
	PPM       float64 // resampling against the card's nominal rate
	CardPPM   float64 // the card's crystal against this host's clock
	CardSigma float64 // and the standard deviation of that
	Reported  bool    // Presented means something
	Presented servo.Presented
	Engine    playout.Stats
}

// publishEvery is the pause between snapshots.
const publishEvery = 100 * time.Millisecond

// publish makes a snapshot, unless somebody is reading the last one.
func (t *thread) publish(now timebase.Local) {
	if now.Sub(t.published) < publishEvery || !t.player.mu.TryLock() {
		return
	}
	defer t.player.mu.Unlock()
	t.published = now
	s := &t.player.snapshot
	*s = Status{
		At: now, Output: t.format, Open: true, RealTime: t.realTime, Xruns: t.xruns, Opened: t.opened,
		Volume: t.volume, Muted: t.muted, Trim: t.trim,
		Playing: t.engine.Playing(), PPM: t.engine.Timeline.PPM(), Engine: t.engine.Stats(), WakeLate: t.wakeLate, Queue: t.fill,
	}
	s.CardPPM, s.CardSigma = t.card.PPM()
	s.Fill = time.Duration(t.queued(now) / float64(t.format.Rate) * 1e9)
	s.Presented, s.Reported = t.engine.Timeline.Presented(now)
	t.wakeLate = 0
}

// publishLoss says that the device is not there.
func (t *thread) publishLoss(problem string) {
	t.player.mu.Lock()
	defer t.player.mu.Unlock()
	t.player.snapshot.Open, t.player.snapshot.Problem, t.player.snapshot.Playing = false, problem, false
	t.player.snapshot.Opened, t.player.snapshot.Reported = t.opened, false
}

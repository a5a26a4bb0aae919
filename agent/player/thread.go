package player

import (
	"math"
	"time"

	"github.com/tutti-audio/tutti/agent/output"
	"github.com/tutti-audio/tutti/sync/playout"
	"github.com/tutti-audio/tutti/sync/servo"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const (
	idleFill  = 20 * time.Millisecond // queued in the device while no stream is there
	leastFill = 2 * time.Millisecond
	mostFill  = 60 * time.Millisecond
	fillShare = 0.55 // of the stream's latency

	leastWake  = 500 * time.Microsecond
	mostWake   = 20 * time.Millisecond
	learnWake  = 3 * time.Millisecond // while the card is new
	learnReads = 150

	retryFirst = 100 * time.Millisecond // to open a device that vanished
	retryMost  = 2 * time.Second
	golden     = 0.6180339887498949 // spreads readings evenly over a card's steps
)

// thread is the state of the audio thread; nobody else touches it.
type thread struct {
	player   *Player
	engine   *playout.Engine
	card     *servo.Card
	realTime bool
	drain    func() // of the present stream; nil: packets come by the ring alone
	volume   int
	muted    bool
	trim     time.Duration

	device  Output
	format  output.Format
	opened  uint64
	retry   time.Duration
	written timebase.Card
	xruns   uint64
	reads   int
	reading servo.Reading // the last
	usual   time.Duration // for a stream of this latency,
	wanted  time.Duration // and what is to be queued for the stream's sake
	fill    time.Duration // to be queued
	buffer  []float32

	published timebase.Local
	wakeLate  time.Duration
	dither    float64
}

func newThread(p *Player) *thread {
	c := p.config
	t := &thread{player: p, usual: idleFill, wanted: idleFill, fill: idleFill, volume: c.Volume, muted: c.Muted, trim: c.Trim, card: servo.NewCard(timebase.Rate, c.CardPPM, c.CardSigma)}
	t.engine = playout.New(t.card, c.Volume, c.Muted, c.Mapping)
	t.engine.SetTrim(c.Trim)
	return t
}

// start begins a stream.
func (t *thread) start(f playout.Format, drain func()) error {
	t.drain = drain
	for t.player.packets.Peek() != nil { // of the stream before
		t.player.packets.Pop()
	}
	t.usual = min(max(time.Duration(float64(f.Latency)*fillShare), leastFill), mostFill)
	t.wanted = t.usual
	if f.Queue > 0 {
		t.wanted = min(max(f.Queue, leastFill), t.usual)
	}
	t.setFill()
	if t.fill > f.Latency*3/4 {
		t.player.config.Log.Warn("the stream's latency is too short for this output: packets will come too late for it",
			"latency", f.Latency, "output", t.format.Name, "queue", t.fill, "instead", "tutti send --latency "+(2*t.fill).String())
	}
	return t.engine.Start(f)
}

// setFill keeps as much queued as the stream and the device want.
func (t *thread) setFill() { t.fill = max(t.wanted, t.format.Lead) }

// ensureOpen opens the device if it is not open. When that fails it waits a
// little and reports false.
func (t *thread) ensureOpen() bool {
	if t.device != nil {
		return true
	}
	device, err := t.player.config.Open()
	if err != nil {
		t.publishLoss(err.Error())
		if t.retry == 0 {
			t.player.config.Log.Error("cannot open the output, will keep trying", "error", err)
		}
		t.retry = min(max(2*t.retry, retryFirst), retryMost)
		t.waitWithout(t.retry)
		return false
	}
	t.device, t.format, t.retry, t.reads, t.xruns = device, device.Format(), 0, 0, 0
	t.opened++
	t.setFill()
	if t.format.Rate != t.card.Nominal() {
		t.card.SetNominal(t.format.Rate)
	}
	t.card.Restart()
	t.reading = servo.Reading{}
	t.buffer = make([]float32, t.format.Buffer*output.Channels)
	t.written = 0
	t.player.config.Log.Info("output open", "output", t.format.Name, "rate", t.format.Rate, "buffer", t.format.Buffer, "lead", t.format.Lead)
	if t.format.Did != "" {
		t.player.config.Log.Info("the output's own volume is set, Tutti's is the one that counts", "changed", t.format.Did)
	}
	return true
}

// waitWithout serves commands, and drops packets, while there is no device.
func (t *thread) waitWithout(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !t.player.closing.Load() {
		select {
		case command := <-t.player.commands:
			command(t)
		case <-tick.C:
			t.takePackets()
			t.player.turns.Add(1)
		case <-timer.C:
			return
		}
	}
}

func (t *thread) closeDevice() {
	if t.device == nil {
		return
	}
	if err := t.device.Close(); err != nil {
		t.player.config.Log.Warn("closing the output", "error", err)
	}
	t.device = nil
}

// turn is one round of the audio thread: take what came, read the position, top
// the device up, sleep.
func (t *thread) turn() {
	select {
	case command := <-t.player.commands:
		command(t)
	default:
	}
	t.takePackets()
	if e := t.player.estimate.get(); e != nil {
		t.engine.SetClock(*e)
	}
	now := t.player.config.Clock.Now()
	if err := t.topUp(now); err != nil {
		t.player.config.Log.Warn("output lost", "output", t.format.Name, "error", err)
		t.closeDevice()
		t.publishLoss(err.Error())
		return
	}
	t.publish(now)
	t.sleep(now)
}

// takePackets drains the session's sockets, and then the ring, into the engine.
func (t *thread) takePackets() {
	if t.drain != nil {
		t.drain()
	}
	for q := t.player.packets.Peek(); q != nil; q = t.player.packets.Peek() {
		t.engine.Push(q.Sequence, q.Media, q.Fresh, q.Payload, q.Arrived)
		t.player.packets.Pop()
	}
}

// topUp reads the position and fills the device up to the wanted lead.
func (t *thread) topUp(now timebase.Local) error {
	pos, err := t.device.Position()
	if err != nil {
		return err
	}
	if pos.Xruns != t.xruns {
		t.xruns = pos.Xruns
		t.wanted = max(t.wanted, min(t.wanted*3/2, t.usual)) // less was asked for than this host can do
		t.setFill()
	}
	t.written = pos.Written
	if r := (servo.Reading{Played: pos.Played, At: pos.At.Add(t.format.Fixed)}); r != t.reading {
		t.reading = r // some devices repeat a reading until they have another
		t.card.Add(r)
		t.reads++
	}
	frames := int(t.fill.Seconds()*float64(t.format.Rate) - t.queued(now))
	frames = min(frames, t.format.Buffer)
	if frames <= 0 {
		return nil
	}
	pcm := t.buffer[:frames*output.Channels]
	t.engine.Render(pcm, t.written)
	for at := t.written; len(pcm) > 0; {
		n, err := t.device.Write(at, pcm)
		if err != nil {
			return err
		}
		if n == 0 {
			break // full: the rest is lost, and the next block jumps
		}
		at, pcm = at+timebase.Card(n), pcm[n*output.Channels:]
	}
	return nil
}

// queued is how many frames wait in the device, by the card's own clock.
func (t *thread) queued(now timebase.Local) float64 {
	if !t.card.Ready() {
		return 0
	}
	return math.Max(0, float64(t.written)-t.card.FrameAt(now))
}

// sleep waits for the next turn: a third of the lead, spread a little, so that
// the readings fall at all phases of a card that moves in steps.
func (t *thread) sleep(began timebase.Local) {
	wake := min(max(t.fill/3, leastWake), mostWake)
	if t.reads < learnReads {
		wake = min(wake, learnWake)
	}
	t.dither += golden
	t.dither -= math.Floor(t.dither)
	until := began.Add(time.Duration(float64(wake) * (0.9 + 0.2*t.dither)))
	t.player.config.Clock.SleepUntil(until)
	t.wakeLate = max(t.wakeLate, t.player.config.Clock.Now().Sub(until))
}

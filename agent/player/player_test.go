package player

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/agent/output"
	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/codec"
	"github.com/tutti-audio/tutti/sync/offset"
	"github.com/tutti-audio/tutti/sync/playout"
	"github.com/tutti-audio/tutti/sync/servo"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// TestNewest: the reader sees only newer values, whole ones, and the last one.
func TestNewest(t *testing.T) {
	n := newNewest[[4]int]()
	const last = 50000
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 1; i <= last; i++ {
			n.set([4]int{i, i, i, i})
		}
	})
	for seen := 0; seen < last; {
		v := n.get()
		if v == nil {
			continue
		}
		if v[0] <= seen || v[1] != v[0] || v[3] != v[0] {
			t.Fatalf("%v after %d", *v, seen)
		}
		seen = v[0]
	}
	writer.Wait()
	if n.get() != nil {
		t.Error("the last value is seen twice")
	}
}

// device is a perfect sound device that can be told to vanish.
type device struct {
	clock   *hostclock.Clock
	start   timebase.Local
	written timebase.Card
	loud    *atomic.Bool
	gone    *atomic.Bool
}

var errGone = errors.New("gone")

func (d *device) played(l timebase.Local) timebase.Card {
	return timebase.Card(l.Sub(d.start) * 48000 / time.Second)
}

func (d *device) Format() output.Format {
	return output.Format{Name: "test", Rate: 48000, Buffer: 9600}
}

func (d *device) Write(_ timebase.Card, pcm []float32) (int, error) {
	if d.gone.Load() {
		return 0, errGone
	}
	for _, s := range pcm {
		if s > 0.1 {
			d.loud.Store(true)
		}
	}
	d.written += timebase.Card(len(pcm) / output.Channels)
	return len(pcm) / output.Channels, nil
}

func (d *device) Position() (output.Position, error) {
	if d.gone.Load() {
		return output.Position{}, errGone
	}
	now := d.clock.Now()
	d.written = max(d.written, d.played(now))
	return output.Position{Played: d.played(now), At: now, Written: d.written}, nil
}

func (d *device) Close() error { return nil }

// eventually polls for what must become true.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 1000 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("never: ", what)
}

// TestPlaysAndSurvivesALostDevice: a stream is played through the drain, the
// device vanishes, comes back, and the stream goes on.
func TestPlaysAndSurvivesALostDevice(t *testing.T) {
	clock := hostclock.New(0)
	var loud, gone atomic.Bool
	p := New(Config{
		Clock: clock, Log: slog.New(slog.DiscardHandler), Volume: 100,
		Open: func() (Output, error) {
			if gone.Load() {
				return nil, errGone
			}
			return &device{clock: clock, start: clock.Now(), loud: &loud, gone: &gone}, nil
		},
	})
	defer p.Close()
	const epoch = timebase.House(1_763_800_000e9)
	began := clock.Now()
	var f offset.Filter
	for i := range timebase.Local(8) {
		l := began + i*1e6
		f.Add(offset.Exchange{T1: l, T2: epoch + timebase.House(l), T3: epoch + timebase.House(l), T4: l})
	}
	p.SetClock(f.Estimate())
	format := codec.Params{Type: ostp.PCM16, Channels: 2, Frames: 480}
	packet := ostp.Packet{Payload: make([]byte, 480*4)}
	for i := range packet.Payload {
		packet.Payload[i] = 0x40 // loud
	}
	sent := uint32(0)
	drain := func() { // packet n is due at began + 10 ms·n
		for ; timebase.Local(sent)*10e6 < clock.Now()-began; sent++ {
			packet.SetSequence(sent)
			packet.MediaTimestamp = sent * 480
			p.Push(&packet, clock.Now())
		}
	}
	anchor := servo.Anchor{House: epoch + timebase.House(began), Media: 0}
	if err := p.Start(playout.Format{Codec: format, Latency: 100 * time.Millisecond, Anchor: anchor}, drain); err != nil {
		t.Fatal(err)
	}
	eventually(t, "sound", loud.Load)
	eventually(t, "a report of what is presented", func() bool { s := p.Status(); return s.Playing && s.Reported })
	gone.Store(true)
	eventually(t, "the loss is told", func() bool { s := p.Status(); return !s.Open && s.Problem != "" })
	loud.Store(false)
	gone.Store(false)
	eventually(t, "sound again", loud.Load)
	if s := p.Status(); s.Opened != 2 {
		t.Errorf("opened %d times, want 2", s.Opened)
	}
	p.SetVolume(100, true)
	eventually(t, "mute is told", func() bool { return p.Status().Muted })
	p.Stop()
	if err := p.Start(playout.Format{Codec: codec.Params{Type: ostp.AAC, Channels: 2, Frames: 480}}, nil); err == nil {
		t.Error("a codec that cannot be decoded is accepted")
	}
}

// dry is a device that has run dry so often.
type dry struct {
	device
	xruns uint64
}

func (d *dry) Position() (output.Position, error) {
	pos, err := d.device.Position()
	pos.Xruns = d.xruns
	return pos, err
}

// TestQueue: the device is given as much as the stream's session asks for, and where
// that runs dry more, up to what is usual for the latency; without a wish that much.
func TestQueue(t *testing.T) {
	clock := hostclock.New(0)
	p := &Player{config: Config{Clock: clock, Log: slog.New(slog.DiscardHandler)}}
	thread := newThread(p)
	d := &dry{device: device{clock: clock, start: clock.Now(), loud: new(atomic.Bool), gone: new(atomic.Bool)}}
	p.config.Open = func() (Output, error) { return d, nil }
	if !thread.ensureOpen() {
		t.Fatal("not open")
	}
	const ms = time.Millisecond
	f := playout.Format{Codec: codec.Params{Type: ostp.PCM16, Channels: 2, Frames: 120}, Latency: 40 * ms}
	start := func(queue time.Duration) {
		f.Queue = queue
		if err := thread.start(f, nil); err != nil {
			t.Fatal(err)
		}
	}
	start(12 * ms)
	for _, want := range []time.Duration{12 * ms, 18 * ms, 22 * ms, 22 * ms} {
		if err := thread.topUp(clock.Now()); err != nil || thread.fill != want {
			t.Errorf("run dry %d times, %v in the device, want %v; %v", d.xruns, thread.fill, want, err)
		}
		d.xruns++
	}
	if start(0); thread.fill != 22*ms {
		t.Errorf("without a wish %v", thread.fill)
	}
}

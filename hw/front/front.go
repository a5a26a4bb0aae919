// Package front is the front of a speaker at work: the amplifier's line or chip,
// the status light, buttons and a rotary encoder, over periph's pins and buses.
//
// What to do when is package panel's; here are the goroutines. One steps everything
// and is the only one to write to pins and chip; each input has one that waits for
// its edges. Every part is optional. Close fades the sound out, switches the
// amplifier off, and waits for all of them. Buttons and encoder connect their line
// to ground; the light and the amplifier have the level that is configured.
//
// A speaker on a LAN plays what is sent, so there is no transport to pause: the
// play button mutes this speaker, or lets it sound again, with a ramp; kept down,
// it goes on to the next channel.
package front

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"periph.io/x/conn/v3/gpio"

	"github.com/tutti-audio/tutti/hw/panel"
)

// Speaker is what the front shows and changes. Its methods are called from one
// goroutine.
type Speaker interface {
	Face() Face
	Hush(on bool)    // while on, play digital silence whatever else is wanted
	Pause()          // mute, or sound again
	Louder(step int) // change the volume by so many percent
	NextChannel()
}

// Face is what there is to show.
type Face struct {
	Light panel.Light
	Sound bool // a stream is there to be heard
}

// Stage is a power stage that is set up by words rather than by a line.
type Stage interface {
	Start() error
	Stop() error
}

// Config is what a front is made of. What is nil is not there.
type Config struct {
	Speaker Speaker
	Log     *slog.Logger

	Amplifier    gpio.PinOut
	AmplifierOn  gpio.Level
	Stage        Stage
	Idle, Settle time.Duration

	Light   gpio.PinOut
	LightOn gpio.Level

	Play, Up, Down, Next gpio.PinIn
	A, B                 gpio.PinIn // of the encoder
	VolumeStep           int        // percent
}

const (
	// fade is how long sound that was taken back may still be heard: the ramp of
	// 20 ms, and what is queued in the card.
	fade = 250 * time.Millisecond
	// look is how often the speaker is asked for its face.
	look = 200 * time.Millisecond
	// retry is how long an amplifier that does not answer is left alone.
	retry = 5 * time.Second
)

// Front is a front at work.
type Front struct {
	config  Config
	began   time.Time
	amp     panel.Amplifier
	power   panel.Power
	on      atomic.Bool
	light   panel.Light
	lit     bool
	litFrom time.Duration
	failed  time.Duration // when the amplifier did not answer; 0: it does
	told    bool          // that was logged
	buttons []*button
	clicks  atomic.Int64 // of the encoder, not yet acted upon

	news chan struct{}
	quit chan struct{}
	wait sync.WaitGroup
}

type button struct {
	panel.Button
	pin  gpio.PinIn
	does func(panel.Push)
}

// HasAmplifier reports whether there is one to be switched, and the speaker has to
// begin hushed.
func (c Config) HasAmplifier() bool { return c.Amplifier != nil || c.Stage != nil }

// New starts a front. A pin that refuses is left out, with a warning.
func New(c Config) *Front {
	f := &Front{config: c, began: time.Now(), amp: panel.Amplifier{Idle: c.Idle, Settle: c.Settle, Fade: fade}, power: panel.Power{Hush: true},
		news: make(chan struct{}, 1), quit: make(chan struct{})}
	if c.Amplifier != nil {
		f.check("amplifier", c.Amplifier.Out(!c.AmplifierOn))
	}
	if c.Light != nil {
		f.check("light", c.Light.Out(!c.LightOn))
	}
	f.listen()
	f.wait.Go(f.run)
	return f
}

// listen prepares the inputs.
func (f *Front) listen() {
	c := f.config
	volume := func(step int) func(panel.Push) {
		return func(panel.Push) { c.Speaker.Louder(step * c.VolumeStep) }
	}
	for _, b := range []struct {
		pin    gpio.PinIn
		repeat bool
		does   func(panel.Push)
	}{
		{c.Play, false, f.play}, {c.Up, true, volume(1)}, {c.Down, true, volume(-1)},
		{c.Next, false, func(panel.Push) { c.Speaker.NextChannel() }},
	} {
		if b.pin != nil && f.check("button", b.pin.In(gpio.PullUp, gpio.BothEdges)) {
			f.buttons = append(f.buttons, &button{Button: panel.Button{Repeat: b.repeat}, pin: b.pin, does: b.does})
			f.wait.Go(func() { f.watch(b.pin, f.Poke) })
		}
	}
	if c.A == nil || c.B == nil || !f.check("encoder", c.A.In(gpio.PullUp, gpio.BothEdges)) || !f.check("encoder", c.B.In(gpio.PullUp, gpio.BothEdges)) {
		return
	}
	var mu sync.Mutex
	encoder := &panel.Encoder{}
	turn := func() {
		mu.Lock()
		click := encoder.Step(c.A.Read() == gpio.Low, c.B.Read() == gpio.Low)
		mu.Unlock()
		if click != 0 {
			f.clicks.Add(int64(click))
			f.Poke()
		}
	}
	f.wait.Go(func() { f.watch(c.A, turn) })
	f.wait.Go(func() { f.watch(c.B, turn) })
}

func (f *Front) play(p panel.Push) {
	if p == panel.Held {
		f.config.Speaker.NextChannel()
		return
	}
	f.config.Speaker.Pause()
}

// watch calls changed after each edge. A pin that cannot wait is looked at every
// now and then instead.
func (f *Front) watch(pin gpio.PinIn, changed func()) {
	for {
		asked := time.Now()
		waited := !pin.WaitForEdge(time.Second)
		select {
		case <-f.quit:
			return
		default:
		}
		changed()
		if waited && time.Since(asked) < 20*time.Millisecond {
			select {
			case <-f.quit:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
}

func (f *Front) check(what string, err error) bool {
	if err != nil {
		f.config.Log.Warn("a part of the front is left out", "part", what, "error", err)
	}
	return err == nil
}

// Poke makes the front look at the speaker now.
func (f *Front) Poke() {
	select {
	case f.news <- struct{}{}:
	default:
	}
}

// On reports whether the amplifier is on.
func (f *Front) On() bool { return f.on.Load() }

// Close ends the front; the amplifier is off then, and the light dark.
func (f *Front) Close() error {
	close(f.quit)
	f.wait.Wait()
	return nil
}

package front

import (
	"errors"
	"time"

	"periph.io/x/conn/v3/gpio"

	"github.com/tutti-audio/tutti/hw/panel"
)

// run steps everything until the amplifier is off after Close.
func (f *Front) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	quit := f.quit
	for {
		select {
		case <-timer.C:
		case <-f.news:
		case <-quit:
			quit = nil // it was seen; the rest is waited for
		}
		now := time.Since(f.began)
		again := f.step(now, quit == nil)
		if quit == nil && !f.power.On {
			f.shine(false)
			return
		}
		timer.Reset(min(again, look))
	}
}

// step does what is due and returns when something will be.
func (f *Front) step(now time.Duration, closing bool) time.Duration {
	face := f.config.Speaker.Face()
	again := panel.Never
	if f.config.HasAmplifier() {
		again = f.stepAmplifier(now, face.Sound, closing)
	} else {
		f.power.On = false
	}
	if !closing {
		again = min(again, f.stepHand(now))
	}
	if face.Light != f.light {
		f.light, f.litFrom = face.Light, now
	}
	lit, change := f.light.At(now - f.litFrom)
	f.shine(lit)
	return min(again, change)
}

// stepAmplifier keeps the order: hush before the stage is switched, sound after.
func (f *Front) stepAmplifier(now time.Duration, sound, closing bool) time.Duration {
	next, again := f.amp.Step(now, sound, closing)
	if next.Hush && !f.power.Hush {
		f.config.Speaker.Hush(true)
	}
	if next.On != f.power.On || next.On && f.failed > 0 && now-f.failed >= retry {
		f.failed = 0
		if !f.drive(next.On) {
			f.failed = max(now, 1)
		}
		f.on.Store(next.On && f.failed == 0)
	}
	if !next.Hush && f.power.Hush {
		f.config.Speaker.Hush(false)
	}
	f.power = next
	return again
}

// drive switches the stage: the line before the chip's words, and after them. A
// failure is logged once, not at each retry.
func (f *Front) drive(on bool) bool {
	c := f.config
	var errs []error
	if c.Stage != nil && !on {
		errs = append(errs, c.Stage.Stop())
	}
	if c.Amplifier != nil {
		errs = append(errs, c.Amplifier.Out(gpio.Level(on == bool(c.AmplifierOn))))
	}
	if c.Stage != nil && on {
		errs = append(errs, c.Stage.Start())
	}
	err := errors.Join(errs...)
	if err != nil && !f.told {
		c.Log.Warn("the amplifier does not do what it is told; it is tried again", "error", err)
	}
	f.told = err != nil
	return err == nil
}

// stepHand acts on buttons and encoder.
func (f *Front) stepHand(now time.Duration) time.Duration {
	again := panel.Never
	for _, b := range f.buttons {
		push, next := b.Step(now, b.pin.Read() == gpio.Low)
		if push != panel.None {
			b.does(push)
		}
		again = min(again, next)
	}
	if clicks := int(f.clicks.Swap(0)); clicks != 0 {
		f.config.Speaker.Louder(clicks * f.config.VolumeStep)
	}
	return again
}

func (f *Front) shine(on bool) {
	if f.config.Light == nil || on == f.lit {
		return
	}
	f.lit = on
	_ = f.config.Light.Out(gpio.Level(on == bool(f.config.LightOn))) // the next change tries again
}

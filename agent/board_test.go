package agent

import (
	"errors"
	"log/slog"
	"testing"
	"testing/fstest"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/tutti-audio/tutti/agent/config"
	"github.com/tutti-audio/tutti/hw"
	"github.com/tutti-audio/tutti/hw/front"
	"github.com/tutti-audio/tutti/hw/panel"
)

type fakePin struct {
	*gpiotest.Pin
	closed bool
}

func (p *fakePin) Close() error { p.closed = true; return nil }

type fakeBus struct {
	*i2ctest.Record
	closed bool
}

func (b *fakeBus) Close() error { b.closed = true; return nil }

// knobs is a speaker that has sound to offer.
type knobs struct{ hushed chan bool }

func (k knobs) Face() front.Face { return front.Face{Light: panel.Steady, Sound: true} }
func (k knobs) Hush(on bool)     { k.hushed <- on }
func (k knobs) Pause()           {}
func (k knobs) Louder(int)       {}
func (k knobs) NextChannel()     {}

// TestBoard: what is wired is used and given back, and shown.
func TestBoard(t *testing.T) {
	amp, bus := &fakePin{Pin: &gpiotest.Pin{N: "GPIO4"}}, &fakeBus{Record: &i2ctest.Record{}}
	h := host{
		root: fstest.MapFS{
			"sys/firmware/devicetree/base/model":           {Data: []byte("Raspberry Pi 4 Model B Rev 1.4\x00")},
			"sys/class/thermal/thermal_zone0/temp":         {Data: []byte("52000\n")},
			"sys/class/hwmon/hwmon1/name":                  {Data: []byte("rpi_volt\n")},
			"sys/class/hwmon/hwmon1/in0_lcrit_alarm":       {Data: []byte("1\n")},
			"sys/firmware/devicetree/base/hat/vendor":      {Data: []byte("Somebody")},
			"sys/bus/i2c/devices/1-002d/name":              {Data: []byte("tas5805m\n")},
			"sys/class/sound/card0/id":                     {Data: []byte("Louder\n")},
			"sys/devices/platform/soc/soc:firmware/unused": {},
		},
		line: func(name string) (pin, error) {
			if name == "GPIO4" {
				return amp, nil
			}
			return nil, errors.New("no such line")
		},
		bus: func(int) (i2c.BusCloser, error) { return bus, nil },
	}
	c := config.Default().Hardware
	c.AmplifierPin, c.AmplifierChip, c.LightPin, c.AmplifierSettleMS = "GPIO4", "tas5805m", "GPIO99", 1
	b := newBoard(c, h, slog.New(slog.DiscardHandler))
	if b.problem != "GPIO99 is left out: no such line" || !b.front.HasAmplifier() {
		t.Errorf("problem %q", b.problem)
	}
	k := knobs{make(chan bool, 4)}
	b.start(k)
	if <-k.hushed {
		t.Error("it is hushed again before it sounds")
	}
	if amp.Read() != gpio.High || len(bus.Ops) != 7 || bus.Ops[0].Addr != 0x2D {
		t.Errorf("the amplifier sounds with its line at %v, after %d writes", amp.Read(), len(bus.Ops))
	}
	s := b.status()
	if s.Board != "Raspberry Pi 4 Model B Rev 1.4" || s.DAC != "Sonocotta Louder Raspberry" || s.Amplifier != "on" || s.TemperatureC != 52 || !s.UnderVoltage || !b.hot() {
		t.Errorf("%+v", s)
	}
	if err := b.Close(); err != nil || !<-k.hushed || amp.Read() != gpio.Low || !amp.closed || !bus.closed {
		t.Errorf("closed: %v, %+v", err, amp)
	}
}

// TestNoBoard: where nothing is known and nothing wired, nothing happens.
func TestNoBoard(t *testing.T) {
	b := newBoard(config.Default().Hardware, host{root: fstest.MapFS{}}, slog.New(slog.DiscardHandler))
	b.start(knobs{})
	b.poke()
	if s := b.status(); s.Board+s.DAC+s.Amplifier != "" || b.hot() || b.working != nil || b.model.Family != hw.Other {
		t.Errorf("%+v", s)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// TestHand: what a hand does is what the API does, and a hush is not remembered.
func TestHand(t *testing.T) {
	s := speaker(t, t.TempDir(), "Hand")
	defer s.Close()
	h := &hand{s}
	h.Pause()
	h.Louder(-70)
	h.Hush(true)
	until(t, "the player is silent", func() bool { p := s.player.Status(); return p.Open && p.Muted && p.Volume == 0 })
	if st := s.Status(); !st.Muted || st.Volume != 0 {
		t.Errorf("muted %v, volume %d", st.Muted, st.Volume)
	}
	h.Pause()
	h.Louder(200)
	until(t, "the hush holds", func() bool { p := s.player.Status(); return p.Muted && p.Volume == 100 })
	if s.Status().Muted {
		t.Error("a hush is shown as mute")
	}
	h.Hush(false)
	until(t, "it may sound", func() bool { return !s.player.Status().Muted })
	h.NextChannel() // none is there
	if f := h.Face(); f.Sound || f.Light != panel.Slow && f.Light != panel.Quick {
		t.Errorf("%+v", f)
	}
	before := s.Turns()
	until(t, "the audio thread turns", func() bool { return s.Turns() > before+3 })
}

func TestNextOf(t *testing.T) {
	for _, c := range []struct {
		all       []string
		now, want string
	}{{nil, "a", ""}, {[]string{"b", "a", "b"}, "a", "b"}, {[]string{"b", "a"}, "b", "a"}, {[]string{"b", "a"}, "", "a"}, {[]string{"c", "a"}, "b", "c"}} {
		if got := nextOf(c.all, c.now); got != c.want {
			t.Errorf("after %q of %v: %q, want %q", c.now, c.all, got, c.want)
		}
	}
}

package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/i2c"

	"github.com/tutti-audio/tutti/agent/config"
	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/hw"
	"github.com/tutti-audio/tutti/hw/dac"
	"github.com/tutti-audio/tutti/hw/front"
	"github.com/tutti-audio/tutti/hw/gpioline"
	"github.com/tutti-audio/tutti/hw/i2cdev"
	"github.com/tutti-audio/tutti/hw/tas58xx"
)

// host is how the hardware is reached; tests have one of their own.
type host struct {
	root fs.FS
	line func(name string) (pin, error)
	bus  func(number int) (i2c.BusCloser, error)
}

type pin interface {
	gpio.PinIO
	Close() error
}

func thisHost() host {
	return host{
		root: os.DirFS("/"),
		line: func(name string) (pin, error) { return gpioline.Find(name) },
		bus:  func(number int) (i2c.BusCloser, error) { return i2cdev.Open(number) },
	}
}

// board is this speaker's hardware. What cannot be had is left out, with a warning
// that says what to do: a speaker plays without its light.
type board struct {
	host    host
	log     *slog.Logger
	model   hw.Board
	dac     string
	front   front.Config
	working *front.Front // nil: nothing is wired
	close   []func() error
	problem string // why something is left out
	quit    chan struct{}
	wait    sync.WaitGroup

	mu    sync.Mutex
	power hw.Power
}

// newBoard looks at the hardware and opens what is wired to it.
func newBoard(c config.Hardware, h host, log *slog.Logger) *board {
	b := &board{host: h, log: log, model: hw.Detect(h.root), quit: make(chan struct{})}
	model, known := b.model.DAC()
	if c.DAC != "" {
		model, known = dac.Find(c.DAC)
	}
	if known {
		b.dac = model.Title
	}
	if b.model.Name != "" {
		log.Info("this board", "board", b.model.Name, "dac", b.dac)
	}
	ms := func(v float64) time.Duration { return time.Duration(v * float64(time.Millisecond)) }
	b.front = front.Config{Log: log, AmplifierOn: c.AmplifierOn == "high", LightOn: c.LightOn == "high", VolumeStep: c.VolumeStep,
		Idle: ms(c.AmplifierIdleS * 1000), Settle: ms(c.AmplifierSettleMS)}
	b.open(c)
	b.power = hw.ReadPower(h.root)
	return b
}

// open opens the pins and the chip.
func (b *board) open(c config.Hardware) {
	f := &b.front
	for _, wire := range []struct {
		name string
		take func(pin)
	}{
		{c.AmplifierPin, func(p pin) { f.Amplifier = p }}, {c.LightPin, func(p pin) { f.Light = p }},
		{c.PlayPin, func(p pin) { f.Play = p }}, {c.UpPin, func(p pin) { f.Up = p }}, {c.DownPin, func(p pin) { f.Down = p }}, {c.NextPin, func(p pin) { f.Next = p }},
		{c.EncoderAPin, func(p pin) { f.A = p }}, {c.EncoderBPin, func(p pin) { f.B = p }},
	} {
		if wire.name == "" {
			continue
		}
		p, err := b.host.line(wire.name)
		if err != nil {
			b.leaveOut(wire.name, err)
			continue
		}
		b.close = append(b.close, p.Close)
		wire.take(p)
	}
	if c.AmplifierChip == "" {
		return
	}
	bus, err := b.host.bus(c.AmplifierBus)
	if err != nil {
		b.leaveOut(c.AmplifierChip, err)
		return
	}
	b.close = append(b.close, bus.Close)
	address := uint16(c.AmplifierAddress)
	if address == 0 {
		address = tas58xx.Addresses(c.AmplifierChip)[0]
	}
	f.Stage = stage{tas58xx.New(bus, address), c.AmplifierGainDB}
}

func (b *board) leaveOut(what string, err error) {
	b.log.Warn("a part of the hardware is left out", "part", what, "error", err)
	b.problem = fmt.Sprintf("%s is left out: %v", what, err)
}

// stage is a chip as the front wants it.
type stage struct {
	chip *tas58xx.Chip
	gain float64
}

func (s stage) Start() error { return s.chip.Start(s.gain, time.Sleep) }
func (s stage) Stop() error  { return s.chip.Stop() }

// start puts the front to work.
func (b *board) start(s front.Speaker) {
	b.wait.Go(b.watchPower)
	c := &b.front
	if c.HasAmplifier() || c.Light != nil || c.Play != nil || c.Up != nil || c.Down != nil || c.Next != nil || c.A != nil {
		c.Speaker = s
		b.working = front.New(*c)
	}
}

// powerEvery is how often heat and supply are looked at.
const powerEvery = 10 * time.Second

// watchPower follows heat and supply, and says when they become bad.
func (b *board) watchPower() {
	ticker := time.NewTicker(powerEvery)
	defer ticker.Stop()
	var last hw.Power
	for {
		now := hw.ReadPower(b.host.root)
		if now.UnderVoltage && !last.UnderVoltage {
			b.log.Warn("the power supply is too weak", "instead", "use the board's own supply and a short, thick cable")
		}
		if now.Throttled && !last.Throttled && !now.UnderVoltage {
			b.log.Warn("the processor is slowed down", "temperature", now.Temperature, "instead", "give the board air or a heat sink")
		}
		last = now
		b.mu.Lock()
		b.power = now
		b.mu.Unlock()
		select {
		case <-b.quit:
			return
		case <-ticker.C:
		}
	}
}

// poke makes the front look at the speaker now.
func (b *board) poke() {
	if b.working != nil {
		b.working.Poke()
	}
}

// status is what there is to show.
func (b *board) status() control.Hardware {
	b.mu.Lock()
	p := b.power
	b.mu.Unlock()
	s := control.Hardware{Board: b.model.Name, DAC: b.dac, TemperatureC: p.Temperature, Throttled: p.Throttled, UnderVoltage: p.UnderVoltage,
		HasThrottled: p.HasThrottled, HasUnderVoltage: p.HasUnderVoltage}
	if b.working != nil && b.front.HasAmplifier() {
		s.Amplifier = "off"
		if b.working.On() {
			s.Amplifier = "on"
		}
	}
	return s
}

// hot reports whether the light should complain.
func (b *board) hot() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.power.UnderVoltage || b.power.Throttled
}

// Close fades out, switches off, and gives the hardware back.
func (b *board) Close() error {
	close(b.quit)
	b.wait.Wait()
	var errs []error
	if b.working != nil {
		errs = append(errs, b.working.Close())
	}
	for _, end := range b.close {
		errs = append(errs, end())
	}
	return errors.Join(errs...)
}

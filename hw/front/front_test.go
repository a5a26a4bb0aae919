package front

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"github.com/tutti-audio/tutti/hw/panel"
)

// diary is a speaker, and pins and a chip that write down what happens to them.
type diary struct {
	mu    sync.Mutex
	face  Face
	lines []string
	fail  bool
}

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *diary) show(f Face) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.face = f
}

func (d *diary) Face() Face {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.face
}

func (d *diary) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.lines, "; ")
}

func (d *diary) Hush(on bool)    { d.note("hush %t", on) }
func (d *diary) Pause()          { d.note("pause") }
func (d *diary) Louder(step int) { d.note("volume %+d", step) }
func (d *diary) NextChannel()    { d.note("next") }
func (d *diary) Stop() error     { d.note("stage stops"); return nil }
func (d *diary) Start() error {
	d.note("stage starts")
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail {
		return errors.New("nobody answers")
	}
	return nil
}

// noted is an output that is written down.
type noted struct {
	*gpiotest.Pin
	diary *diary
}

func (n noted) Out(l gpio.Level) error {
	n.diary.note("%s %v", n.N, l)
	return n.Pin.Out(l)
}

func until(t *testing.T, d *diary, want string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); d.String() != want; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("got  %s\nwant %s", d, want)
		}
	}
}

// TestOrder: sound is let go only after the stage is on, and the stage is switched
// off only after silence was asked for.
func TestOrder(t *testing.T) {
	d := &diary{}
	f := New(Config{Speaker: d, Log: slog.New(slog.DiscardHandler), Amplifier: noted{&gpiotest.Pin{N: "amp"}, d}, AmplifierOn: gpio.Low, Stage: d, Idle: 10 * time.Millisecond, Settle: time.Millisecond})
	until(t, d, "amp High")
	d.show(Face{Sound: true})
	f.Poke()
	until(t, d, "amp High; amp Low; stage starts; hush false")
	if !f.On() {
		t.Error("it is not on")
	}
	d.show(Face{})
	f.Poke()
	idle := "amp High; amp Low; stage starts; hush false; hush true; stage stops; amp High"
	until(t, d, idle)
	d.show(Face{Sound: true})
	f.Poke()
	until(t, d, idle+"; amp Low; stage starts; hush false")
	if err := f.Close(); err != nil { // amid sound
		t.Fatal(err)
	}
	if want := idle + "; amp Low; stage starts; hush false; hush true; stage stops; amp High"; d.String() != want || f.On() {
		t.Errorf("closed:\ngot  %s\nwant %s", d, want)
	}
}

// TestNoAnswer: an amplifier that fails is told, and stops nothing.
func TestNoAnswer(t *testing.T) {
	d := &diary{fail: true, face: Face{Sound: true}}
	f := New(Config{Speaker: d, Log: slog.New(slog.DiscardHandler), Stage: d})
	until(t, d, "stage starts; hush false")
	if f.On() {
		t.Error("it is said to be on")
	}
	_ = f.Close()
}

// TestHand: buttons and encoder do what is written on them.
func TestHand(t *testing.T) {
	d := &diary{}
	pin := func(n string) *gpiotest.Pin { return &gpiotest.Pin{N: n, EdgesChan: make(chan gpio.Level)} }
	play, up, a, b := pin("play"), pin("up"), pin("a"), pin("b")
	f := New(Config{Speaker: d, Log: slog.New(slog.DiscardHandler), Play: play, Up: up, A: a, B: b, VolumeStep: 3, Light: &gpiotest.Pin{N: "led"}})
	defer f.Close()
	up.EdgesChan <- gpio.Low
	until(t, d, "volume +3")
	up.EdgesChan <- gpio.High
	play.EdgesChan <- gpio.Low
	until(t, d, "volume +3; next") // held
	play.EdgesChan <- gpio.High
	for _, edge := range []struct {
		pin *gpiotest.Pin
		l   gpio.Level
	}{{a, gpio.Low}, {b, gpio.Low}, {a, gpio.High}, {b, gpio.High}} {
		edge.pin.EdgesChan <- edge.l
		for edge.pin.Read() != edge.l {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(5 * time.Millisecond) // as a hand would
	}
	until(t, d, "volume +3; next; volume +3")
}

// TestNothing: a front without parts ends at once, and one with pins that refuse
// works without them.
func TestNothing(t *testing.T) {
	d := &diary{}
	_ = New(Config{Speaker: d, Log: slog.New(slog.DiscardHandler)}).Close()
	bad := gpio.INVALID
	f := New(Config{Speaker: d, Log: slog.New(slog.DiscardHandler), Play: bad, A: bad, B: bad, Light: bad, Amplifier: bad})
	_ = f.Close()
	if d.String() != "" {
		t.Error(d)
	}
}

// TestLight: it shows what the speaker does, and goes dark at the end.
func TestLight(t *testing.T) {
	d := &diary{face: Face{Light: panel.Quick}}
	f := New(Config{Speaker: d, Log: slog.New(slog.DiscardHandler), Light: noted{&gpiotest.Pin{N: "led"}, d}, LightOn: true})
	until(t, d, "led Low; led High; led Low; led High")
	d.show(Face{Light: panel.Steady})
	_ = f.Close()
	if !strings.HasSuffix(d.String(), "led Low") {
		t.Error(d)
	}
}

package gpioline

import (
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"
)

func TestFlags(t *testing.T) {
	if f := inputFlags(gpio.PullUp, gpio.BothEdges); f != 0x134 {
		t.Errorf("%#x", f)
	}
	if f := inputFlags(gpio.PullNoChange, gpio.NoEdge); f != 4 {
		t.Errorf("%#x", f)
	}
}

// TestNotThere: a line that is not there is an error, and one that was not asked
// for answers nothing.
func TestNotThere(t *testing.T) {
	if _, err := Find("TUTTI-NO-SUCH-LINE"); err == nil {
		t.Error("found")
	}
	l := &Line{name: "X", chip: "/dev/null"}
	if l.Read() == gpio.High || l.WaitForEdge(time.Second) || l.Halt() != nil || l.Close() != nil || l.Function() != "" {
		t.Error("a line that was not asked for answers")
	}
	if l.Out(gpio.High) == nil || l.In(gpio.PullUp, gpio.BothEdges) == nil || l.PWM(0, 0) == nil {
		t.Error("/dev/null is no chip")
	}
}

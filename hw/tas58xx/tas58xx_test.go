package tas58xx

import (
	"strings"
	"testing"
	"time"

	"periph.io/x/conn/v3/i2c/i2ctest"
)

func ops(pairs ...byte) (all []i2ctest.IO) {
	for ; len(pairs) > 0; pairs = pairs[2:] {
		all = append(all, i2ctest.IO{Addr: 0x2D, W: pairs[:2:2]})
	}
	return all
}

// TestStart: high impedance and mute first, a pause, then volume and play.
func TestStart(t *testing.T) {
	bus := &i2ctest.Playback{Ops: ops(0, 0, 0x7F, 0, 0, 0, 0x03, 0x0A, 0x4C, 0x3C, 0x78, 0x80, 0x03, 0x03), DontPanic: true}
	var waited time.Duration
	if err := New(bus, 0x2D).Start(-6, func(d time.Duration) {
		waited += d
		if bus.Count != 4 {
			t.Errorf("waits after %d writes", bus.Count)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := bus.Close(); err != nil || waited < 5*time.Millisecond {
		t.Errorf("%v, waited %v", err, waited)
	}
}

func TestStop(t *testing.T) {
	bus := &i2ctest.Playback{Ops: ops(0, 0, 0x7F, 0, 0x03, 0x0B, 0x03, 0x00), DontPanic: true}
	if err := New(bus, 0x2D).Stop(); err != nil || bus.Close() != nil {
		t.Errorf("%v after %d writes", err, bus.Count)
	}
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		b    []byte
		want string
	}{{[]byte{0, 0, 0}, ""}, {[]byte{2, 4, 1}, "over-current of the left channel\nthe sound card's clock is missing\ntoo hot"}} {
		err := New(&i2ctest.Playback{Ops: []i2ctest.IO{{Addr: 0x4C, W: []byte{0x70}, R: c.b}}, DontPanic: true}, 0x4C).Faults()
		if err == nil && c.want != "" || err != nil && err.Error() != c.want {
			t.Errorf("%x: %v", c.b, err)
		}
	}
}

// TestNobodyThere: an amplifier that does not answer is an error that says so.
func TestNobodyThere(t *testing.T) {
	c := New(&i2ctest.Playback{DontPanic: true}, 0x2D)
	for _, err := range []error{c.Start(0, func(time.Duration) {}), c.Stop(), c.Faults()} {
		if err == nil || !strings.Contains(err.Error(), "0x2d") {
			t.Errorf("%v", err)
		}
	}
}

func TestVolume(t *testing.T) {
	for gain, want := range map[float64]byte{0: 0x30, 24: 0, -103: 0xFE, -0.5: 0x31} {
		if v, err := volume(gain); v != want || err != nil {
			t.Errorf("%g dB: %#x %v", gain, v, err)
		}
	}
	for _, gain := range []float64{24.5, -104} {
		if _, err := volume(gain); err == nil {
			t.Errorf("%g dB is not refused", gain)
		}
	}
}

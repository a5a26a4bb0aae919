package source

import (
	"encoding/binary"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/alsa/alsatest"
)

// A line input is heard, an unplugged one is silence, and one that is back is heard
// again.
func TestALSACapture(t *testing.T) {
	began := time.Now()
	kernel := &alsatest.Kernel{Now: func() int64 { return int64(time.Since(began)) }, Wait: func(time.Duration) { time.Sleep(2 * time.Millisecond) }}
	card := &alsatest.Card{ID: "line", Formats: []uint32{2}, PPM: 100, Sound: func(frame int64, b []byte) {
		s := uint16(int16(16384 * math.Sin(2*math.Pi*1000*float64(frame)/48000)))
		binary.LittleEndian.PutUint16(b, s)
		binary.LittleEndian.PutUint16(b[2:], s)
	}}
	kernel.Plug(card)
	s, err := openALSA(kernel, "alsa:line", "line", Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	until := func(heard bool) {
		t.Helper()
		pcm := make([]float32, 480*s.Channels())
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if _, err := s.Read(pcm); err != nil {
				t.Fatal(err)
			}
			power := 0.0
			for _, x := range pcm {
				power += float64(x) * float64(x) / float64(len(pcm))
			}
			if heard && math.Abs(power-0.125) < 0.01 || !heard && power == 0 {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("heard should become %v; power %g, %+v", heard, power, s.Status().Live)
			}
		}
	}
	until(true)
	kernel.Stop(card) // an overrun
	until(true)
	kernel.Unplug(card)
	until(false)
	kernel.Plug(card)
	until(true)
	if err := s.Close(); err != nil || kernel.Opened() != 0 {
		t.Errorf("closing: %v, %d files open", err, kernel.Opened())
	}
}

func TestALSARefuses(t *testing.T) {
	kernel := &alsatest.Kernel{Now: func() int64 { return 0 }}
	for _, device := range []string{"", "hw:0,0", "x"} {
		if _, err := openALSA(kernel, "alsa:"+device, device, Options{Log: slog.New(slog.DiscardHandler)}); err == nil {
			t.Errorf("%q was opened", device)
		}
	}
}

package output

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/alsa/alsatest"
	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// bench is a fake kernel with one card that checks what it hears.
type bench struct {
	clock               *hostclock.Clock
	kernel              *alsatest.Kernel
	card                *alsatest.Card
	right, quiet, wrong atomic.Int64
}

func newBench(card *alsatest.Card) *bench {
	b := &bench{clock: hostclock.New(0), card: card}
	b.kernel = &alsatest.Kernel{Now: func() int64 { return b.clock.Monotonic(b.clock.Now()) }}
	card.Formats = []uint32{10}
	card.Heard = func(frame int64, raw []byte) {
		switch got := float64(int32(binary.LittleEndian.Uint32(raw))) / (1 << 31); {
		case got == 0:
			b.quiet.Add(1)
		case math.Abs(got-float64(noise(timebase.Card(frame)))) < 1e-9:
			b.right.Add(1)
		default:
			b.wrong.Add(1)
		}
	}
	b.kernel.Plug(card)
	return b
}

// Each frame is played in its place, the position follows the card's crystal, and
// the lead covers the steps by which the card moves.
func TestALSA(t *testing.T) {
	for name, card := range map[string]*alsatest.Card{
		"fine":   {ID: "fine", PPM: 120},
		"coarse": {ID: "coarse", Granularity: 480, PPM: -150, NoMap: true, Delay: 300},
	} {
		b := newBench(card)
		d, err := openALSA(b.kernel, card.ID, b.clock)
		if err != nil {
			t.Fatal(err)
		}
		step := d.(*alsaCard).step
		if lead := time.Duration((int64(card.Delay) + 2*card.Granularity) * 1e9 / 48000 * 9 / 10); d.Format().Lead < lead || step < card.Granularity*8/10 {
			t.Errorf("%s: lead %v, step %d, want %v at least, and %d", name, d.Format().Lead, step, lead, card.Granularity)
		}
		f := feeder{device: d}
		if err := f.run(b.clock, 1500*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		p, err := d.Position()
		if err != nil {
			t.Fatal(err)
		}
		if b.wrong.Load() > 0 || b.right.Load() == 0 {
			t.Errorf("%s: %d frames right, %d quiet, %d wrong", name, b.right.Load(), b.quiet.Load(), b.wrong.Load())
		}
		if p.Xruns == 0 && b.quiet.Load() > 48000/2 {
			t.Errorf("%s: %d frames of silence and no xrun", name, b.quiet.Load())
		}
		t.Logf("%s: %s, lead %v, step %d; %d frames right, %d quiet, %d xruns", name, d.Format().Name, d.Format().Lead, step, b.right.Load(), b.quiet.Load(), p.Xruns)
		if err := d.Close(); err != nil || b.kernel.Opened() != 0 {
			t.Errorf("%s: closing: %v, %d files open", name, err, b.kernel.Opened())
		}
	}
}

// A card that is unplugged, stops or stands still is gone, and comes back by being
// opened again.
func TestALSAGone(t *testing.T) {
	b := newBench(&alsatest.Card{ID: "Device"})
	for _, fail := range []func(*alsatest.Card){b.kernel.Stop, b.kernel.Sleep, b.kernel.Unplug} {
		d, err := openALSA(b.kernel, "Device", b.clock)
		if err != nil {
			t.Fatal(err)
		}
		fail(b.card)
		if _, err := d.Position(); !errors.Is(err, ErrGone) {
			t.Errorf("position of a failed card: %v", err)
		}
		if _, err := d.Write(0, make([]float32, 10)); !errors.Is(err, ErrGone) {
			t.Errorf("writing to a failed card: %v", err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := openALSA(b.kernel, "Device", b.clock); !errors.Is(err, ErrGone) {
		t.Errorf("opening what is not there: %v", err)
	}
	b.kernel.Plug(b.card)
	d, err := openALSA(b.kernel, "hw:0,0", b.clock)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	now := b.kernel.Now()
	b.kernel.Now = func() int64 { return now } // from here on it stands still
	for range 2 {
		_, _ = d.Position()
		d.(*alsaCard).moved -= int64(alsaStuck)
	}
	if _, err := d.Position(); !errors.Is(err, ErrGone) || !strings.Contains(err.Error(), "stands still") {
		t.Errorf("position of a card that stands still: %v", err)
	}
}

// auto takes what can be opened, and a better one as soon as it comes.
func TestALSAAuto(t *testing.T) {
	b := newBench(&alsatest.Card{ID: "Headphones", Driver: "bcm2835_headpho", Number: 1})
	d, err := openALSA(b.kernel, "auto", b.clock)
	if err != nil || !strings.Contains(d.Format().Name, "headphones") {
		t.Fatalf("%v, %v", d, err)
	}
	dac := &alsatest.Card{ID: "DAC", Driver: "simple", Elements: []*alsatest.Element{{Name: "Digital Playback Volume", Most: 207, Values: []int{0}, TLV: []uint32{1, 8, uint32(0xffffd792), 50}}}}
	b.kernel.Plug(dac)
	for deadline := time.Now().Add(patience); err == nil; time.Sleep(50 * time.Millisecond) {
		if _, err = d.Position(); time.Now().After(deadline) {
			t.Fatal("the better card is not noticed")
		}
	}
	if !errors.Is(err, ErrGone) || !strings.Contains(err.Error(), "better") {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if d, err = openALSA(b.kernel, "auto", b.clock); err != nil || !strings.Contains(d.Format().Did, "Digital Playback Volume +0.0 dB") {
		t.Fatalf("%v, %v", d.Format(), err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

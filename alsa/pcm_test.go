package alsa_test

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/alsa"
	"github.com/tutti-audio/tutti/alsa/alsatest"
)

// clock is a time that a test sets.
type clock struct{ ns int64 }

func (c *clock) now() int64           { return c.ns }
func (c *clock) pass(d time.Duration) { c.ns += int64(d) }
func ramp(frame int64) (l, r float32) {
	return float32(frame%8000+1) / 16384, -float32(frame%7000+1) / 16384
}
func fill(pcm []float32, at int64) {
	for i := 0; i < len(pcm); i += 2 {
		pcm[i], pcm[i+1] = ramp(at + int64(i/2))
	}
}
func config() alsa.Config {
	return alsa.Config{Rate: 48000, Channels: 2, PeriodTime: 5 * time.Millisecond, BufferTime: 100 * time.Millisecond}
}
func first(t *testing.T, e error) {
	t.Helper()
	if e != nil {
		t.Fatal(e)
	}
}

// player plays a ramp and checks each frame that the DAC takes.
type player struct {
	t      *testing.T
	clock  clock
	kernel alsatest.Kernel
	card   *alsatest.Card
	pcm    *alsa.PCM
	heard  int64 // frames that were the ramp's
	silent int64
	wrong  int64
	next   int64
}

func newPlayer(t *testing.T, card *alsatest.Card) *player {
	p := &player{t: t, card: card}
	p.clock.ns = 5e9
	p.kernel.Now = p.clock.now
	card.Heard = p.hear
	p.kernel.Plug(card)
	p.open()
	return p
}

func (p *player) open() {
	p.t.Helper()
	d, err := alsa.Find(&p.kernel, "hw:0,0", false)
	first(p.t, err)
	p.pcm, err = alsa.OpenPlayback(&p.kernel, d.Address, config())
	first(p.t, err)
}

// hear compares, to within the rounding of the format.
func (p *player) hear(frame int64, b []byte) {
	var l, near float64
	switch p.pcm.Config().Format {
	case alsa.S16:
		l, near = float64(int16(binary.LittleEndian.Uint16(b)))/(1<<15), 2.0/(1<<15)
	case alsa.S24In3:
		l, near = float64(int32(uint32(b[0])<<8|uint32(b[1])<<16|uint32(b[2])<<24))/(1<<31), 1.0/(1<<23)
	case alsa.S24:
		l, near = float64(int32(binary.LittleEndian.Uint32(b)<<8))/(1<<31), 1.0/(1<<23)
	case alsa.S32:
		l, near = float64(int32(binary.LittleEndian.Uint32(b)))/(1<<31), 1.0/(1<<30)
	}
	want, right := ramp(frame)
	if p.pcm.Config().Channels == 1 {
		want = (want + right) / 2
	}
	switch {
	case math.Abs(l-float64(want)) <= near:
		p.heard++
	case l == 0:
		p.silent++
	default:
		p.wrong++
	}
}

// run tops the ring up to fill frames ahead every millisecond.
func (p *player) run(d time.Duration, ahead int64) {
	p.t.Helper()
	buffer := make([]float32, 2*48000)
	for end := p.clock.ns + int64(d); p.clock.ns < end; p.clock.pass(time.Millisecond) {
		s, err := p.pcm.Status(0)
		first(p.t, err)
		p.next = max(p.next, s.Frames)
		n := s.Frames + ahead - p.next
		if n <= 0 {
			continue
		}
		fill(buffer[:2*n], p.next)
		took, err := p.pcm.Write(p.next, buffer[:2*n])
		first(p.t, err)
		p.next += int64(took)
	}
}

// Whatever the format, the access and the number of channels, each frame is heard
// in its place, also across the kernel's wrap-around.
func TestPlaysEveryFrame(t *testing.T) {
	for name, card := range map[string]*alsatest.Card{
		"mapped":      {Wrap: 2},
		"written":     {NoMap: true, Wrap: 2},
		"S16":         {Formats: []uint32{2}},
		"S24":         {Formats: []uint32{6}},
		"S24_3LE":     {Formats: []uint32{2, 32}, NoMap: true},
		"steps":       {Granularity: 240, PPM: 150},
		"44.1 kHz":    {Rates: []uint32{44100}, PPM: -150},
		"96 kHz":      {Rates: []uint32{96000}},
		"mono":        {Channels: [2]uint32{1, 1}},
		"8 channels":  {Channels: [2]uint32{8, 8}, NoMap: true},
		"small ring":  {Buffer: [2]uint32{64, 1024}, Wrap: 4},
		"long period": {Period: [2]uint32{1024, 4096}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlayer(t, card)
			p.run(time.Second, 900)
			played := p.heard + p.silent + p.wrong
			if p.wrong > 0 || p.silent > 960 || p.heard < played-960 {
				t.Errorf("%+v: of %d frames %d were right, %d silent, %d wrong", p.pcm.Config(), played, p.heard, p.silent, p.wrong)
			}
			first(t, p.pcm.Close())
			if p.kernel.Opened() != 0 {
				t.Errorf("%d files are left open", p.kernel.Opened())
			}
		})
	}
}

// After a pause of the program the card has gone on, silently; late frames are
// dropped and the others are in their places.
func TestRunsFree(t *testing.T) {
	for _, noMap := range []bool{false, true} {
		p := newPlayer(t, &alsatest.Card{NoMap: noMap, Wrap: 8})
		p.run(300*time.Millisecond, 900)
		heard := p.heard
		p.clock.pass(700 * time.Millisecond) // several times the ring, across the boundary
		buffer := make([]float32, 2*40000)
		fill(buffer, p.next)
		late, err := p.pcm.Write(p.next, buffer)
		first(t, err)
		p.next += int64(late)
		p.run(300*time.Millisecond, 900)
		if p.wrong != 0 || p.heard < heard+14000 || p.silent < 25000 {
			t.Errorf("no map %v: %d right, %d silent, %d wrong", noMap, p.heard, p.silent, p.wrong)
		}
	}
}

// The position is the card's own, with the instant it was read at and the delay
// behind it.
func TestStatus(t *testing.T) {
	p := newPlayer(t, &alsatest.Card{PPM: 120, Delay: 37, Wrap: 2})
	began := p.clock.ns
	for range 3000 {
		p.clock.pass(777777)
		s, err := p.pcm.Status(1)
		first(t, err)
		if want := int64(float64(p.clock.ns-began) * 48e-6 * (1 + 120e-6)); s.Frames != want || s.At != p.clock.ns || s.Delay != 37 {
			t.Fatalf("%+v at %d, want frame %d", s, p.clock.ns, want)
		}
	}
	if s, _ := p.pcm.Status(1); s.AudioType != 1 || s.Audio == 0 {
		t.Errorf("the card's own clock is missing: %+v", s)
	}
	p.run(100*time.Millisecond, 500) // neither does what waits count as delay
	if s, _ := p.pcm.Status(1); s.Delay != 37 {
		t.Errorf("delay %d with a full ring", s.Delay)
	}
}

// A stopped, a suspended and an unplugged card are told apart, and start again.
func TestRecovers(t *testing.T) {
	p := newPlayer(t, &alsatest.Card{})
	p.run(100*time.Millisecond, 500)
	for _, fail := range []func(*alsatest.Card){p.kernel.Stop, p.kernel.Sleep} {
		fail(p.card)
		if _, err := p.pcm.Status(0); !errors.Is(err, alsa.ErrStopped) {
			t.Errorf("status of a stopped card: %v", err)
		}
		if _, err := p.pcm.Write(0, make([]float32, 100)); !errors.Is(err, alsa.ErrStopped) {
			t.Errorf("writing to a stopped card: %v", err)
		}
		first(t, p.pcm.Recover())
		p.next = 0
		p.run(100*time.Millisecond, 500)
	}
	if p.wrong != 0 {
		t.Errorf("%d frames are wrong", p.wrong)
	}
	p.kernel.Unplug(p.card)
	if _, err := p.pcm.Status(0); !errors.Is(err, alsa.ErrGone) {
		t.Errorf("status of an unplugged card: %v", err)
	}
	first(t, p.pcm.Close())
	if _, err := alsa.Find(&p.kernel, "Zero", false); !errors.Is(err, alsa.ErrGone) {
		t.Errorf("looking for an unplugged card: %v", err)
	}
	p.kernel.Plug(p.card)
	p.open()
}

// A device that another program has says so.
func TestBusy(t *testing.T) {
	p := newPlayer(t, &alsatest.Card{})
	_, err := alsa.OpenPlayback(&p.kernel, alsa.Address{Subdevice: -1}, config())
	if err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("opening twice: %v", err)
	}
}

// What is recorded is what the ADC gave, also after an overrun.
func TestRecords(t *testing.T) {
	for _, noMap := range []bool{false, true} {
		card := &alsatest.Card{NoMap: noMap, Wrap: 3, PPM: 80}
		card.Sound = func(frame int64, b []byte) {
			l, r := ramp(frame)
			binary.LittleEndian.PutUint32(b, uint32(int32(l*(1<<31))))
			binary.LittleEndian.PutUint32(b[4:], uint32(int32(r*(1<<31))))
		}
		c := &clock{ns: 1e9}
		k := &alsatest.Kernel{Now: c.now}
		k.Plug(card)
		pcm, err := alsa.OpenCapture(k, alsa.Address{Subdevice: -1}, config())
		first(t, err)
		for range 2 {
			next, b := int64(0), make([]float32, 2*960)
			for range 200 {
				c.pass(5 * time.Millisecond)
				first(t, pcm.Wait(0))
				n, err := pcm.Read(b)
				first(t, err)
				for i := range n {
					if l, r := ramp(next); b[2*i] != l || b[2*i+1] != r {
						t.Fatalf("no map %v: frame %d is %v %v", noMap, next, b[2*i], b[2*i+1])
					}
					next++
				}
			}
			if next < 47800 {
				t.Errorf("no map %v: %d frames in a second", noMap, next)
			}
			c.pass(time.Second)
			if _, err := pcm.Read(b); !errors.Is(err, alsa.ErrStopped) {
				t.Errorf("no map %v: after an overrun: %v", noMap, err)
			}
			first(t, pcm.Recover())
		}
	}
}

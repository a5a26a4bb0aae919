package output

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tutti-audio/tutti/alsa"
	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const (
	alsaPeriod = 5 * time.Millisecond // between the card's interrupts
	alsaBuffer = 250 * time.Millisecond
	alsaLearn  = 120 * time.Millisecond // in which a card shows how it moves
	alsaLook   = 2500 * time.Microsecond
	alsaWake   = time.Millisecond // by which we may be late
	alsaStuck  = 2 * time.Second  // without a move of the position
)

// alsaCard is an ALSA device. It runs free: its frame count goes on whether or not there
// is anything to play, and what is written is written by number.
type alsaCard struct {
	pcm    *alsa.PCM
	clock  *hostclock.Clock
	format Format
	step   int64 // frames by which the position moves, as learnt

	next    int64 // frame to be written
	written bool  // anything at all
	xruns   uint64
	last    int64 // position
	moved   int64 // when it last changed, ns of CLOCK_MONOTONIC
}

// openALSA opens the device called name: hw:CARD,DEVICE, the id of a card, or auto.
func openALSA(kernel alsa.Kernel, name string, clock *hostclock.Clock) (Device, error) {
	if name == "auto" || name == "" {
		return openBest(kernel, clock)
	}
	d, err := alsa.Find(kernel, name, false)
	if err != nil {
		return nil, lost(err)
	}
	return openCard(kernel, d, clock)
}

func openCard(kernel alsa.Kernel, d alsa.Device, clock *hostclock.Clock) (Device, error) {
	pcm, err := alsa.OpenPlayback(kernel, d.Address, alsa.Config{Rate: timebase.Rate, Channels: Channels, PeriodTime: alsaPeriod, BufferTime: alsaBuffer})
	if err != nil {
		return nil, lost(err)
	}
	c := &alsaCard{pcm: pcm, clock: clock}
	got := pcm.Config()
	c.format = Format{
		Name: strings.TrimSpace(fmt.Sprintf("ALSA %v (%s), %v, %s", d.Address, d.Name, d.Kind, got.Format)),
		Rate: got.Rate, Buffer: got.Buffer, Did: openUp(kernel, d.Card),
	}
	if err := c.learn(); err != nil {
		_ = pcm.Close()
		return nil, err
	}
	return c, nil
}

// openUp sets the card's own volume to 0 dB, so that Tutti's is the one that counts,
// and tells what that changed.
func openUp(kernel alsa.Kernel, number int) string {
	m, err := alsa.OpenMixer(kernel, number)
	if err != nil {
		return "" // a container may be given the PCM device alone
	}
	defer func() { _ = m.Close() }()
	changed, err := m.OpenUp()
	if err != nil {
		changed = append(changed, "not all: "+err.Error())
	}
	return strings.Join(changed, ", ")
}

// learn watches the position for a while: how far it lags at most behind an even
// line tells by what steps it moves, which no driver does. What is queued must
// reach over those steps and over what is on its way to the jack.
func (c *alsaCard) learn() error {
	looks := int(max(alsaLearn, 3*c.seconds(int64(c.pcm.Config().Period))) / alsaLook)
	var first alsa.Status
	least, most, delay := 0.0, 0.0, 0
	for i := range looks {
		s, err := c.pcm.Status(0)
		if err != nil {
			return lost(err)
		}
		if i <= looks/3 { // it may be slow to start
			first, delay = s, s.Delay
		}
		ahead := float64(s.Frames-int64(s.Delay)-first.Frames+int64(first.Delay)) - float64(s.At-first.At)*1e-9*float64(c.format.Rate)
		least, most, delay = min(least, ahead), max(most, ahead), max(delay, s.Delay)
		if i <= looks/3 {
			least, most = 0, 0
		}
		c.clock.SleepUntil(c.clock.Now().Add(alsaLook))
	}
	c.step = int64(most-least) + 1
	c.format.Lead = c.seconds(int64(delay)+2*c.step) + alsaWake
	// The card may be a step further than it says, which takes from what fits.
	c.format.Buffer -= int(min(c.step, int64(c.format.Buffer/2)))
	return nil
}

func (c *alsaCard) seconds(frames int64) time.Duration {
	return time.Duration(float64(frames) / float64(c.pcm.Config().Rate) * 1e9)
}

// Format implements Device.
func (c *alsaCard) Format() Format { return c.format }

// Write implements Device.
func (c *alsaCard) Write(at timebase.Card, pcm []float32) (int, error) {
	late := tooLate(at, timebase.Card(c.next), pcm)
	n, err := c.pcm.Write(int64(at)+int64(late), pcm[late*Channels:])
	c.next = max(c.next, int64(at)+int64(late+n))
	c.written = c.written || n > 0
	return late + n, lost(err)
}

// Position implements Device: the kernel reads the position, stamps it, and says
// how much is on its way, in one call.
func (c *alsaCard) Position() (Position, error) {
	s, err := c.pcm.Status(0)
	if err != nil {
		return Position{}, lost(err)
	}
	if s.Frames != c.last || c.moved == 0 {
		c.last, c.moved = s.Frames, s.At
	}
	if s.At-c.moved > int64(alsaStuck) {
		return Position{}, fmt.Errorf("%w: %s stands still: is what it leads to connected?", ErrGone, c.format.Name)
	}
	if s.Frames > c.next {
		if c.written {
			c.xruns++
		}
		c.next = s.Frames + c.step
	}
	return Position{
		Played: timebase.Card(s.Frames - int64(s.Delay)), At: c.clock.FromMonotonic(s.At),
		Written: timebase.Card(c.next), Xruns: c.xruns,
	}, nil
}

// Close implements Device.
func (c *alsaCard) Close() error { return c.pcm.Close() }

// lost turns what ends a stream into ErrGone: opening the device again is what
// mends a card that stopped, too.
func lost(err error) error {
	if errors.Is(err, alsa.ErrGone) || errors.Is(err, alsa.ErrStopped) {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return err
}

// openBest opens the best ALSA device there is, and watches for a better one.
func openBest(kernel alsa.Kernel, clock *hostclock.Clock) (Device, error) {
	all, err := alsa.Audible(kernel)
	if err != nil {
		return nil, lost(err)
	}
	known := map[string]bool{}
	var problems []error
	for _, d := range all {
		known[d.CardID] = true
		opened, err := openCard(kernel, d, clock)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		return watch(opened, "", func() string {
			now, _ := alsa.Audible(kernel)
			for _, other := range now {
				if other.Kind < d.Kind && !known[other.CardID] {
					return fmt.Sprintf("a better one has come: %v (%s)", other.Address, other.Name)
				}
			}
			return ""
		}), nil
	}
	return nil, fmt.Errorf("no ALSA device can be opened: %w", errors.Join(problems...))
}

// Package tas58xx sets up the TAS5805M and TAS5825M, amplifiers with a digital
// input that are silent until somebody writes to them over I2C.
//
// It is for systems whose kernel has no driver for them; where one is bound, the
// bus refuses. The register numbers are those of both chips' data sheets (book 0,
// page 0). Gains are decibels. A Chip is not safe for concurrent use; waiting is
// the caller's.
package tas58xx

import (
	"errors"
	"fmt"
	"math"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// Registers.
const (
	regPage      = 0x00
	regControl2  = 0x03 // state, and mute
	regVolume    = 0x4C
	regFault     = 0x70 // of the channels; the next two are global
	regFaultZero = 0x78
	regBook      = 0x7F
)

// Values of regControl2.
const (
	deepSleep = 0x00
	highZ     = 0x02
	play      = 0x03
	mute      = 1 << 3
)

// Gains of the chips' digital volume.
const (
	LeastGain = -103.0
	MostGain  = 24.0
)

// wake is how long the chip needs between leaving sleep and playing.
const wake = 5 * time.Millisecond

// Chip is one amplifier.
type Chip struct {
	dev i2c.Dev
}

// Addresses returns where a chip of that name can be, the most usual address
// first, or nothing for a name that is not known.
func Addresses(name string) []uint16 {
	switch name {
	case "tas5805m":
		return []uint16{0x2D, 0x2C, 0x2E, 0x2F}
	case "tas5825m":
		return []uint16{0x4C, 0x4D, 0x4E, 0x4F}
	}
	return nil
}

// New returns the chip at an address. Nothing is sent yet.
func New(bus i2c.Bus, address uint16) *Chip { return &Chip{i2c.Dev{Bus: bus, Addr: address}} }

// Start makes the chip play with a fixed gain. It is to be called while the sound
// card is running and sends digital silence: the chip needs its clock.
func (c *Chip) Start(gain float64, wait func(time.Duration)) error {
	v, err := volume(gain)
	if err != nil {
		return err
	}
	if err := c.write(regPage, 0, regBook, 0, regPage, 0, regControl2, highZ|mute); err != nil {
		return err
	}
	wait(wake)
	return c.write(regVolume, v, regFaultZero, 0x80, regControl2, play)
}

// Stop mutes the chip and puts it to sleep.
func (c *Chip) Stop() error {
	return c.write(regPage, 0, regBook, 0, regControl2, play|mute, regControl2, deepSleep)
}

// Faults says what the chip complains about, or nil.
func (c *Chip) Faults() error {
	var b [3]byte
	if err := c.dev.Tx([]byte{regFault}, b[:]); err != nil {
		return c.explain(err)
	}
	var all []error
	for i, names := range [][]string{
		{"over-current of the right channel", "over-current of the left channel", "direct current at the right channel", "direct current at the left channel"},
		{"supply voltage too low", "supply voltage too high", "the sound card's clock is missing"},
		{"too hot"},
	} {
		for bit, name := range names {
			if b[i]>>bit&1 != 0 {
				all = append(all, errors.New(name))
			}
		}
	}
	return errors.Join(all...)
}

// volume makes the register of a gain: half a decibel a step, 0x30 is 0 dB.
func volume(gain float64) (byte, error) {
	if math.IsNaN(gain) || gain < LeastGain || gain > MostGain {
		return 0, fmt.Errorf("amplifier gain %g dB: use %g to %g", gain, LeastGain, MostGain)
	}
	return byte(math.Round(0x30 - 2*gain)), nil
}

// write writes pairs of register and value.
func (c *Chip) write(pairs ...byte) error {
	for ; len(pairs) > 0; pairs = pairs[2:] {
		if err := c.dev.Tx(pairs[:2], nil); err != nil {
			return c.explain(err)
		}
	}
	return nil
}

func (c *Chip) explain(err error) error {
	return fmt.Errorf("the amplifier at I2C address %#x does not answer: %w; see its power, its PDN line and [hardware] amplifier_address", c.dev.Addr, err)
}

// Package dac is a table of the sound add-ons that people put on boards: how each
// is called, which overlay it needs, and what must be known to use its amplifier.
//
// The table is data. What a maker does not publish is left empty; nothing here is
// needed to play, and a board that is not in the table works like one that is. The
// sources are the makers' data sheets and pin lists, and the overlay descriptions
// of the Raspberry Pi's firmware.
package dac

import (
	"slices"
	"strings"
)

// Model is one kind of add-on.
type Model struct {
	Name    string // as people call it, and as configured
	Title   string // for people
	Maker   string
	Overlay string // for config.txt of a Raspberry Pi: dtoverlay=…
	Codec   string // the chip
	Bus     bool   // set up over I2C; if not, the chip has no registers
	Address uint16 // on I2C, 7 bits; 0: none, or not the same on all
	// Amplifier is how the power stage is let go; nothing for a line output.
	Amplifier Amplifier
	// Driver is true when the kernel's driver itself moves the amplifier's line, so
	// that nobody else can.
	Driver bool
	Notes  string

	products []string // what stands in "VENDOR PRODUCT" of its EEPROM, in lower case
	drivers  []string // compatible strings of its sound card
	cards    []string // names of its sound card
	chips    []string // kernel's names on I2C that are found on nothing else
}

// Amplifier is the line that mutes a power stage or shuts it down.
type Amplifier struct {
	Pin string // such as GPIO4; empty: there is none
	On  string // the level at which it sounds: high or low; empty: not published
}

// Evidence is what was seen of an add-on.
type Evidence struct {
	Vendor, Product string   // of the EEPROM
	Drivers         []string // compatible strings of the sound cards
	Cards           []string // names of the sound cards
	Chips           []string // names of chips on I2C
}

// Find returns the model of a name.
func Find(name string) (Model, bool) {
	for _, m := range Models() {
		if m.Name == name {
			return m, true
		}
	}
	return Model{}, false
}

// Names lists all models' names.
func Names() (all []string) {
	for _, m := range Models() {
		all = append(all, m.Name)
	}
	return all
}

// Identify returns the model that the evidence speaks for: the EEPROM's word counts
// more than the driver's, and that more than a chip's.
func Identify(e Evidence) (Model, bool) {
	if m, ok := byEEPROM(strings.ToLower(e.Vendor + " " + e.Product)); ok {
		return m, true
	}
	for _, kind := range []struct {
		seen []string
		of   func(Model) []string
	}{
		{e.Drivers, func(m Model) []string { return m.drivers }},
		{e.Cards, func(m Model) []string { return append(m.cards, cardID(m.Overlay)) }},
		{e.Chips, func(m Model) []string { return m.chips }},
	} {
		for _, m := range Models() {
			for _, s := range kind.seen {
				if s != "" && slices.Contains(kind.of(m), s) {
					return m, true
				}
			}
		}
	}
	return Model{}, false
}

// byEEPROM finds the model with the longest match.
func byEEPROM(text string) (best Model, found bool) {
	length := 0
	for _, m := range Models() {
		for _, p := range m.products {
			if len(p) > length && strings.Contains(text, p) {
				best, length = m, len(p)
			}
		}
	}
	return best, length > 0
}

// cardID is what the Pi's kernels call the card of an overlay: sndrpi and the
// overlay's name without its dashes, cut at 15 characters.
func cardID(overlay string) string {
	if overlay == "" {
		return ""
	}
	id := "sndrpi" + strings.ReplaceAll(overlay, "-", "")
	return id[:min(len(id), 15)]
}

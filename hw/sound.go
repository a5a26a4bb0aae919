package hw

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/tutti-audio/tutti/hw/dac"
)

// cards lists the sound cards, by number.
func cards(root fs.FS) (all []Card) {
	for _, dir := range under(root, "sys/class/sound") {
		digits, ok := strings.CutPrefix(path.Base(dir), "card")
		number, err := strconv.Atoi(digits)
		if !ok || err != nil {
			continue
		}
		all = append(all, Card{Number: number, ID: text(root, dir+"/id"), Compatible: words(root, dir+"/device/of_node/compatible")})
	}
	slices.SortFunc(all, func(a, b Card) int { return a.Number - b.Number })
	return all
}

// chips lists what the device tree puts on the I2C buses.
func chips(root fs.FS) (all []Chip) {
	for _, dir := range under(root, "sys/bus/i2c/devices") {
		bus, address, ok := strings.Cut(path.Base(dir), "-")
		n, err := strconv.ParseUint(bus, 10, 8)
		at, err2 := strconv.ParseUint(address, 16, 16)
		if !ok || err != nil || err2 != nil || len(address) != 4 {
			continue // the buses themselves are i2c-1 and so on
		}
		all = append(all, Chip{Bus: int(n), Address: uint16(at), Name: text(root, dir+"/name")})
	}
	return all
}

// DAC returns what is known of the board's sound add-on: by its EEPROM, else by
// the driver of a sound card, else by a chip on I2C. Of no add-on nothing is known.
func (b Board) DAC() (dac.Model, bool) {
	e := dac.Evidence{Vendor: b.HAT.Vendor, Product: b.HAT.Product}
	for _, c := range b.Cards {
		e.Drivers = append(e.Drivers, c.Compatible...)
		e.Cards = append(e.Cards, c.ID)
	}
	for _, c := range b.I2C {
		e.Chips = append(e.Chips, c.Name)
	}
	return dac.Identify(e)
}

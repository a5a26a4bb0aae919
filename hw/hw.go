// Package hw says which board this is, which sound hardware is on it, and how warm
// and well fed it is, from what the kernel shows in /sys.
//
// Everything is read through an fs.FS whose root is the host's: os.DirFS("/") on a
// board, a recorded tree in a test. A file that is not there leaves a field empty;
// no board is unknown to the point of an error. Temperatures are degrees Celsius.
// The functions keep nothing and are safe for concurrent use.
//
// /proc is never read: a service that is shut off with ProcSubset=pid has none. The
// device tree is the kernel's ABI/testing/sysfs-firmware-ofw, the DMI fields are
// those of its dmi-id driver.
package hw

import (
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Family is a kind of board that differs in how it is set up.
type Family string

// The families that Tutti knows something about. Any other board works as Other.
const (
	RaspberryPi Family = "raspberry-pi"
	Rockchip    Family = "rockchip"
	Allwinner   Family = "allwinner"
	PC          Family = "pc"
	Other       Family = "other"
)

// Board is the hardware.
type Board struct {
	Name       string // as its maker calls it; empty when nobody says
	Family     Family
	SoC        string   // such as brcm,bcm2711; empty where there is no device tree
	Compatible []string // of the device tree, the most exact first
	HAT        HAT      // what the board's EEPROM says, or nothing
	Cards      []Card
	I2C        []Chip
}

// HAT is an add-on board that the Pi's firmware found by its EEPROM.
type HAT struct{ Vendor, Product string }

// Card is a sound card.
type Card struct {
	Number     int
	ID         string   // as in hw:CARD=ID
	Compatible []string // of its device tree node; empty for USB and PCI
}

// Chip is a device on an I2C bus that the kernel has a name for.
type Chip struct {
	Bus     int
	Address uint16
	Name    string // such as pcm5122
}

// limit is how much of a file is looked at: a device tree is data from outside.
const limit = 4 << 10

const tree = "sys/firmware/devicetree/base"

// Detect looks at a host.
func Detect(root fs.FS) Board {
	b := Board{
		Name: text(root, tree+"/model"), Compatible: words(root, tree+"/compatible"),
		HAT: HAT{Vendor: text(root, tree+"/hat/vendor"), Product: text(root, tree+"/hat/product")},
	}
	if b.Name == "" && b.Compatible == nil {
		b.Name = dmi(root)
	}
	if n := len(b.Compatible); n > 0 {
		b.SoC = b.Compatible[n-1]
	}
	b.Family = family(b.Compatible, b.Name)
	b.Cards, b.I2C = cards(root), chips(root)
	return b
}

// family tells by the maker of the chip, and for the Pi by the maker of the board.
func family(compatible []string, name string) Family {
	makers := map[string]Family{"raspberrypi": RaspberryPi, "rockchip": Rockchip, "allwinner": Allwinner}
	for _, c := range compatible {
		maker, _, _ := strings.Cut(c, ",")
		if f, known := makers[maker]; known {
			return f
		}
	}
	if compatible == nil && name != "" {
		return PC
	}
	return Other
}

// fillers are what makers leave in DMI fields that they do not fill in.
func fillers() []string {
	return []string{"", "to be filled by o.e.m.", "default string", "system product name", "system manufacturer", "not applicable", "none", "unknown"}
}

// dmi names a PC.
func dmi(root fs.FS) string {
	var parts []string
	for _, file := range []string{"sys_vendor", "product_name"} {
		t := text(root, "sys/class/dmi/id/"+file)
		if !slices.Contains(fillers(), strings.ToLower(t)) && !slices.Contains(parts, t) {
			parts = append(parts, t)
		}
	}
	return strings.Join(parts, " ")
}

// read returns the beginning of a file, or nothing.
func read(root fs.FS, name string) []byte {
	file, err := root.Open(name)
	if err != nil {
		return nil
	}
	defer file.Close()
	b := make([]byte, limit)
	n, _ := file.Read(b)
	return b[:n]
}

// text returns a file's text up to its first NUL, without what would steer a
// terminal.
func text(root fs.FS, name string) string {
	b, _, _ := bytes.Cut(read(root, name), []byte{0})
	return clean(string(b))
}

func clean(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F || r == 0xFFFD {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "")))
}

// words returns the strings of a device tree property.
func words(root fs.FS, name string) (all []string) {
	for _, b := range bytes.Split(read(root, name), []byte{0}) {
		if s := clean(string(b)); s != "" {
			all = append(all, s)
		}
	}
	return all
}

// under lists what is in a directory, by name.
func under(root fs.FS, dir string) (names []string) {
	entries, err := fs.ReadDir(root, dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		names = append(names, path.Join(dir, e.Name()))
	}
	return names
}

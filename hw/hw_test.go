package hw

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// recorded reads a tree of testdata.
func recorded(t *testing.T, name string) fstest.MapFS {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".tree"))
	if err != nil {
		t.Fatal(err)
	}
	tree := fstest.MapFS{}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		path, quoted, _ := strings.Cut(line, ": ")
		data, err := strconv.Unquote(quoted)
		if err != nil {
			t.Fatalf("%s: %s: %v", name, line, err)
		}
		tree[path] = &fstest.MapFile{Data: []byte(data), Mode: 0o444}
	}
	return tree
}

// TestBoards: each board is told by its own tree.
func TestBoards(t *testing.T) {
	for _, c := range []struct {
		tree, name string
		family     Family
		soc, dac   string
		cards      string
		power      Power
	}{
		{"pi-zero-w", "Raspberry Pi Zero W Rev 1.1", RaspberryPi, "brcm,bcm2835", "", "vc4hdmi", Power{Temperature: 41.16}},
		{"pi-zero-2-w", "Raspberry Pi Zero 2 W Rev 1.0", RaspberryPi, "brcm,bcm2837", "max98357a", "MAX98357A", Power{Temperature: 58.534, HasThrottled: true}},
		{"pi-3", "Raspberry Pi 3 Model B Plus Rev 1.3", RaspberryPi, "brcm,bcm2837", "iqaudio-digiampplus", "Headphones IQaudIODAC",
			Power{Temperature: 47.236, UnderVoltage: true, Throttled: true, HasUnderVoltage: true, HasThrottled: true}},
		{"pi-4", "Raspberry Pi 4 Model B Rev 1.4", RaspberryPi, "brcm,bcm2711", "hifiberry-amp100", "vc4hdmi0 sndrpihifiberry",
			Power{Temperature: 52.095, UnderVoltage: true, HasUnderVoltage: true}},
		{"pi-5", "Raspberry Pi 5 Model B Rev 1.0", RaspberryPi, "brcm,bcm2712", "rpi-dacpro", "DAC", Power{Temperature: 63.4}}, // its fan turns
		{"rock-5b", "Radxa ROCK 5B", Rockchip, "rockchip,rk3588", "", "rockchipes8316", Power{Temperature: 45.307, Throttled: true, HasThrottled: true}},
		{"orange-pi-zero", "Xunlong Orange Pi Zero", Allwinner, "allwinner,sun8i-h2-plus", "", "Codec", Power{Temperature: 61}},
		{"pc", "Intel(R) Client Systems NUC8i3BEH", PC, "", "", "PCH", Power{Temperature: 48}},
	} {
		tree := recorded(t, c.tree)
		b := Detect(tree)
		if b.Name != c.name || b.Family != c.family || b.SoC != c.soc {
			t.Errorf("%s: %q, %s, %q", c.tree, b.Name, b.Family, b.SoC)
		}
		if m, _ := b.DAC(); m.Name != c.dac {
			t.Errorf("%s: DAC %q, want %q", c.tree, m.Name, c.dac)
		}
		var ids []string
		for _, card := range b.Cards {
			ids = append(ids, card.ID)
		}
		if got := strings.Join(ids, " "); got != c.cards {
			t.Errorf("%s: cards %q", c.tree, got)
		}
		if p := ReadPower(tree); p != c.power {
			t.Errorf("%s: %+v\nwant %+v", c.tree, p, c.power)
		}
	}
}

// TestStrange: what no board shows is no board, and nothing panics.
func TestStrange(t *testing.T) {
	long := strings.Repeat("x\x00", 10000)
	for _, tree := range []fstest.MapFS{
		{},
		{"sys/class/sound/cardX/id": {Data: []byte("a")}, "sys/class/sound/card99999999999999999999/id": {}, "sys/bus/i2c/devices/1-zz/name": {}, "sys/bus/i2c/devices/-/name": {}},
		{"sys/class/thermal/thermal_zone0/temp": {Data: []byte("warm")}, "sys/devices/platform/soc/soc:firmware/get_throttled": {Data: []byte("ffffffffff")}},
		{"sys/class/dmi/id/sys_vendor": {Data: []byte("To Be Filled By O.E.M.\n")}, "sys/class/dmi/id/product_name": {Data: []byte("Default string\n")}},
	} {
		if b, p := Detect(tree), ReadPower(tree); b.Name != "" || b.Family != Other || len(b.Cards)+len(b.I2C) > 0 || p != (Power{}) {
			t.Errorf("%+v %+v", b, p)
		}
	}
	b := Detect(fstest.MapFS{tree + "/model": {Data: []byte("Evil\x1b[2J\xff board\n")}, tree + "/compatible": {Data: []byte(long)}})
	if b.Name != "Evil[2J board" || len(b.Compatible) != limit/2 {
		t.Errorf("%q, %d words", b.Name, len(b.Compatible))
	}
	Detect(os.DirFS("/")) // whatever this is
	ReadPower(os.DirFS("/"))
}

package imagetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tutti-audio/tutti/internal/netlab"
)

// Firmware is what the Raspberry Pi's firmware makes of a card's config.txt: which
// files it loads, and what it tells the kernel. Only what our images use of it is
// understood; anything else is an error, so that the images do not come to use what
// was never tried.
type Firmware struct {
	Prefix, Kernel, Initramfs, CommandLine string // names of files, in the folder Prefix
	Overlays                               []string
}

// ReadFirmware follows config.txt and what it includes.
func ReadFirmware(card Card) (f Firmware, err error) {
	if err := f.follow(card, "config.txt"); err != nil {
		return f, err
	}
	for what, name := range map[string]string{"kernel=": f.Kernel, "initramfs": f.Initramfs, "cmdline=": f.CommandLine, "os_prefix=": f.Prefix} {
		if name == "" {
			return f, fmt.Errorf("config.txt says nothing of %s", what)
		}
	}
	return f, nil
}

func (f *Firmware) follow(card Card, name string) error {
	text, err := card.Read(name)
	if err != nil {
		return err
	}
	for _, line := range strings.Split(string(text), "\n") {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		key, value, pair := strings.Cut(line, "=")
		words := strings.Fields(line)
		switch {
		case line == "":
		case words[0] == "include" && len(words) == 2:
			if err := f.follow(card, words[1]); err != nil {
				return err
			}
		case words[0] == "initramfs" && len(words) == 3 && words[2] == "followkernel":
			f.Initramfs = words[1]
		case pair && f.set(key, value):
		default:
			return fmt.Errorf("%s: the firmware of this test does not know %q", name, line)
		}
	}
	return nil
}

// set reports whether it knows the key.
func (f *Firmware) set(key, value string) bool {
	switch key {
	case "os_prefix":
		f.Prefix = value
	case "kernel":
		f.Kernel = value
	case "cmdline":
		f.CommandLine = value
	case "dtoverlay":
		f.Overlays = append(f.Overlays, value)
	case "arm_64bit", "upstream_kernel", "enable_uart", "disable_splash", "boot_delay", "hdmi_ignore_edid_audio":
	default:
		return false
	}
	return true
}

// piTree is the device tree of the board that QEMU emulates.
const piTree = "bcm2837-rpi-3-b.dtb"

// Pi returns a Raspberry Pi 3 with a network adapter on USB. It ends when it starts
// again: then PowerOn has its firmware read the card anew.
func Pi(host *netlab.Host, card Card, dir string) *Machine {
	return &Machine{Host: host, Card: card, Dir: dir, args: piArgs}
}

func piArgs(_ context.Context, m *Machine) ([]string, error) {
	f, err := ReadFirmware(m.Card)
	if err != nil {
		return nil, err
	}
	get := func(name string) (string, error) {
		data, err := m.Card.Read(f.Prefix + name)
		to := filepath.Join(m.Dir, filepath.Base(name))
		if err != nil {
			return "", err
		}
		return to, os.WriteFile(to, data, 0o644)
	}
	tree, err := get(piTree)
	if err != nil {
		return nil, err
	}
	for _, o := range f.Overlays {
		overlay, err := get("overlays/" + o + ".dtbo")
		if err != nil {
			return nil, err
		}
		if err := command("fdtoverlay", "-i", tree, "-o", tree+".merged", overlay); err != nil {
			return nil, err
		}
		tree += ".merged"
	}
	kernel, err := get(f.Kernel)
	if err != nil {
		return nil, err
	}
	initramfs, err := get(f.Initramfs)
	if err != nil {
		return nil, err
	}
	line, err := m.Card.Read(f.Prefix + f.CommandLine)
	return []string{
		"-M", "raspi3b", "-dtb", tree, "-kernel", kernel, "-initrd", initramfs, "-append", strings.TrimSpace(string(line)),
		"-drive", "if=sd,format=raw,file=" + string(m.Card), "-no-reboot", "-serial", "null", "-serial", "stdio",
		"-netdev", "tap,id=n,ifname=" + tap + ",script=no,downscript=no", "-device", "usb-net,netdev=n,mac=" + hardwareAddress,
	}, err
}

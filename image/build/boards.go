package main

import (
	"fmt"
	"strings"
)

// board is a kind of computer that an image is for.
type board struct {
	name     string
	arch     string // Debian's
	kernel   string // package
	pi       bool   // started by the Raspberry Pi's firmware; else by EFI
	packages string // besides common
	modules  string // that reach the card
	cmdline  string
	squeeze  bool     // the kernel may be gzip
	trees    []string // device trees to take along, by the beginning of their names
	title    string   // for people
	devices  []string // tags that Raspberry Pi Imager knows the boards by
}

// common is what every image has of Debian.
const common = "systemd-sysv udev kmod systemd-resolved systemd-timesyncd dbus wpasupplicant wireless-regdb iproute2 e2fsprogs dosfstools " +
	"base-files base-passwd util-linux mount coreutils dash libpam-systemd ca-certificates dropbear-bin"

const (
	wifiPi    = "firmware-brcm80211"
	wifiOther = "firmware-brcm80211 firmware-realtek"
	onFAT     = "vfat nls_cp437 nls_ascii ?nls_iso8859_1 "
	onDisk    = onFAT + "crc32c_generic squashfs ext4 " // ext4 asks for the checksum by name
)

func boards() []board {
	const usb = " ?usb_storage ?uas ?xhci_pci ?xhci_plat_hcd ?sd_mod"
	return []board{{
		name: "pi64", arch: "arm64", kernel: "linux-image-arm64", pi: true, squeeze: true, packages: "raspi-firmware " + wifiPi,
		modules: onDisk + "mmc_block bcm2835 ?bcm2835_wdt sdhci_iproc ?reset_raspberrypi ?pcie_brcmstb ?dwc2" + usb,
		cmdline: "console=tty1 net.ifnames=0 panic=10 quiet", trees: []string{"bcm2837-rpi", "bcm2711-rpi"},
		title: "Raspberry Pi 3, 4, Zero 2 W", devices: []string{"pi3-64bit", "pi4-64bit"},
	}, {
		name: "pi-armv6", arch: "armel", kernel: "linux-image-rpi", pi: true, packages: "raspi-firmware " + wifiPi,
		modules: onDisk + "mmc_block bcm2835 ?bcm2835_wdt sdhci_iproc ?dwc2" + usb,
		cmdline: "console=tty1 net.ifnames=0 panic=10 quiet", trees: []string{"bcm2835-rpi"},
		title: "Raspberry Pi 1, Zero, Zero W", devices: []string{"pi1-32bit"},
	}, {
		name: "generic-arm64", arch: "arm64", kernel: "linux-image-arm64", packages: "systemd-boot-efi " + wifiOther,
		modules: onDisk + "mmc_block virtio_blk virtio_pci ?virtio_mmio ?nvme ?ahci ?sdhci_of_arasan ?dw_mmc_rockchip ?sunxi_mmc ?meson_gx_mmc ?sdhci_acpi" + usb,
		cmdline: "console=tty1 net.ifnames=0 panic=10 quiet",
		title:   "64-bit ARM boards with UEFI",
	}}
}

func boardNames() []string {
	var all []string
	for _, b := range boards() {
		all = append(all, b.name)
	}
	return all
}

func findBoard(name string) (board, error) {
	for _, b := range boards() {
		if b.name == name {
			return b, nil
		}
	}
	return board{}, fmt.Errorf("there is no board %q: use one of %s", name, strings.Join(boardNames(), ", "))
}

package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/image/boot"
	"github.com/tutti-audio/tutti/image/card"
	"github.com/tutti-audio/tutti/image/disk"
	"github.com/tutti-audio/tutti/image/slot"
)

const (
	bootDir = "/boot"
	dataDir = "/data/tutti"
)

// machine is the system that runs.
type machine struct {
	card           *card.Card
	slot           disk.Slot
	loader         boot.Loader
	board, version string
}

func thisMachine() (*machine, error) {
	c, slot, err := card.Booted()
	if err != nil {
		return nil, err
	}
	m := &machine{card: c, slot: slot}
	if m.loader, err = boot.Open(bootDir); err != nil {
		return nil, err
	}
	text, err := os.ReadFile("/etc/tutti/image")
	if err != nil {
		return nil, err
	}
	for _, line := range strings.Split(string(text), "\n") {
		switch key, value, _ := strings.Cut(line, "="); key {
		case "board":
			m.board = value
		case "version":
			m.version = value
		}
	}
	return m, nil
}

// publicKey is whose updates are taken.
func publicKey() (ed25519.PublicKey, error) {
	text, err := os.ReadFile("/etc/tutti/update.pub")
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, errors.New("/etc/tutti/update.pub holds no key")
	}
	return key, nil
}

// How the boot partition is mounted, if not for writing.
const (
	bootFlags   = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME
	bootOptions = "umask=0077"
)

// writable runs work with the boot partition writable, and makes it read-only again.
func writable(work func() error) error {
	if err := unix.Mount("", bootDir, "", unix.MS_REMOUNT|bootFlags&^unix.MS_RDONLY, bootOptions); err != nil {
		return fmt.Errorf("make the boot partition writable: %w", err)
	}
	err := work()
	unix.Sync()
	return errors.Join(err, unix.Mount("", bootDir, "", unix.MS_REMOUNT|bootFlags, bootOptions))
}

// repair repairs the boot partition while the system runs.
func (m *machine) repair() error {
	device := m.card.Partition(disk.Boot)
	if err := unix.Unmount(bootDir, 0); err != nil {
		return fmt.Errorf("unmount the boot partition: %w: switch the speaker off and on, which repairs it, and try again", err)
	}
	_, err := slot.Repair(func(option string) ([]byte, error) {
		return exec.Command("fsck.vfat", option, device).CombinedOutput()
	})
	return errors.Join(err, unix.Mount(device, bootDir, "vfat", bootFlags, bootOptions))
}

// restart has systemd stop everything in order and the machine start again.
func restart() error {
	unix.Sync()
	return exec.Command("systemctl", "reboot").Run()
}

func status() error {
	m, err := thisMachine()
	if err != nil {
		return err
	}
	trial, err := m.loader.OnTrial(m.slot)
	if err != nil {
		return err
	}
	note := "found good"
	if trial {
		note = "on trial"
	}
	fmt.Printf("Tutti image %s for %s, slot %v, %s\n", m.version, m.board, m.slot, note)
	return nil
}

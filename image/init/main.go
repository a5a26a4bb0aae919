// Command init is the first program of a Tutti image, inside its initramfs: it loads
// the kernel modules that reach the card, finds the card by its signature, stretches
// the data partition over it, mounts what belongs together and starts systemd.
//
// A slot on trial that cannot be started is given up here: the machine starts again,
// with the other slot (see image/boot).
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/image/boot"
	"github.com/tutti-audio/tutti/image/disk"
)

const (
	findCard  = 30 * time.Second
	readError = 5 * time.Second // for a person at the screen
)

func main() {
	err := start()
	fmt.Println("tutti-init:", err)
	time.Sleep(readError)
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	select {} // the kernel panics when its first program ends
}

// start does not return unless it fails.
func start() error {
	if err := mountKernel(); err != nil {
		return err
	}
	if err := loadModules("/modules/order"); err != nil {
		return err
	}
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return err
	}
	signature, slot, err := disk.ParseCommandLine(string(line))
	if err != nil {
		return err
	}
	m, err := waitCard(signature)
	if err != nil {
		return err
	}
	if err := m.count(slot); err != nil {
		return err
	}
	if err := m.mount(slot); err != nil {
		return errors.Join(err, m.giveUp(slot))
	}
	return switchRoot()
}

// count tells the loader that the slot was started on trial, and starts the machine
// again if another one should be running. The partition, which may need repair after a
// power cut, is written only if there is something to count: one sector of one file.
func (m medium) count(slot disk.Slot) error {
	if err := m.mountBoot("/boot", unix.MS_RDONLY); err != nil {
		return err
	}
	loader, err := boot.Open("/boot")
	if err != nil {
		return err
	}
	if trial, err := loader.OnTrial(slot); err != nil || !trial {
		return errors.Join(err, unix.Unmount("/boot", 0))
	}
	if err := unix.Mount("", "/boot", "", bootFlags|unix.MS_REMOUNT, bootOptions); err != nil {
		return fmt.Errorf("make the boot partition writable: %w", err)
	}
	wrong, err := loader.Started(slot)
	if wrong && err == nil {
		err = fmt.Errorf("slot %v had its trial and was not found good; going back to %v", slot, slot.Other())
	}
	return errors.Join(err, unix.Unmount("/boot", 0))
}

// giveUp has the other slot started if this one is on trial.
func (m medium) giveUp(slot disk.Slot) error {
	if err := m.mountBoot("/boot", 0); err != nil {
		return err
	}
	loader, err := boot.Open("/boot")
	if err != nil {
		return err
	}
	trial, err := loader.OnTrial(slot)
	if err != nil || !trial {
		return err
	}
	fmt.Printf("tutti-init: slot %v was on trial; going back to %v\n", slot, slot.Other())
	return errors.Join(loader.Choose(slot.Other()), unix.Unmount("/boot", 0))
}

func mountKernel() error {
	for _, m := range []struct{ kind, at string }{{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}} {
		_ = os.MkdirAll(m.at, 0o755)
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	return nil
}

// loadModules loads what the list names. One that fails may be for other hardware.
func loadModules(list string) error {
	names, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	for _, name := range strings.Fields(string(names)) {
		code, err := os.ReadFile("/modules/" + name + ".ko")
		if err != nil {
			return err
		}
		if err := unix.InitModule(code, ""); err != nil && !errors.Is(err, unix.EEXIST) {
			fmt.Printf("tutti-init: module %s: %v\n", name, err)
		}
	}
	return nil
}

// switchRoot frees the initramfs, makes /root the root and becomes systemd.
func switchRoot() error {
	for _, at := range []string{"/dev", "/proc", "/sys"} {
		if err := unix.Mount(at, "/root"+at, "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("move %s: %w", at, err)
		}
	}
	_ = os.RemoveAll("/modules")
	if err := os.Chdir("/root"); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return err
	}
	return unix.Exec("/sbin/init", []string{"/sbin/init"}, []string{"PATH=/usr/sbin:/usr/bin", "HOME=/root", "TERM=linux"})
}

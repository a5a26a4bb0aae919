package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/image/card"
	"github.com/tutti-audio/tutti/image/disk"
	"github.com/tutti-audio/tutti/image/slot"
)

// medium is the card that we were started from.
type medium struct {
	*card.Card
}

// waitCard looks for the disk with the signature until it is there.
func waitCard(signature uint32) (m medium, err error) {
	for end := time.Now().Add(findCard); ; time.Sleep(50 * time.Millisecond) {
		m.Card, err = card.Find(signature)
		if err == nil {
			if _, err := m.Grow(); err != nil {
				fmt.Println("tutti-init: the data partition stays as it is:", err)
			}
			return m, m.waitPartitions(end)
		}
		if !errors.Is(err, card.ErrAbsent) || time.Now().After(end) {
			return m, err
		}
	}
}

func (m medium) waitPartitions(end time.Time) error {
	for {
		if _, err := os.Stat(m.Partition(disk.Data)); err == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s has no partition %d", m.Name, disk.Data)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

const (
	bootFlags   = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME
	bootOptions = "umask=0077"
)

func (m medium) mountBoot(at string, flags uintptr) error {
	_ = os.MkdirAll(at, 0o755)
	if err := unix.Mount(m.Partition(disk.Boot), at, "vfat", bootFlags|flags, bootOptions); err != nil {
		return fmt.Errorf("mount the boot partition: %w", err)
	}
	return nil
}

// mount puts the system together below /root.
func (m medium) mount(slot disk.Slot) error {
	_ = os.MkdirAll("/root", 0o755)
	if err := unix.Mount(m.Partition(slot.Partition()), "/root", "squashfs", unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("mount slot %v: %w", slot, err)
	}
	if err := m.mountData(); err != nil {
		return err
	}
	for _, dir := range []string{"var", "tutti"} {
		if err := os.MkdirAll("/root/data/"+dir, 0o755); err != nil {
			return fmt.Errorf("data partition: %w", err)
		}
	}
	if err := unix.Mount("/root/data/var", "/root/var", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount /var: %w", err)
	}
	m.repairBoot()
	return m.mountBoot("/root/boot", unix.MS_RDONLY)
}

// repairBoot repairs the boot partition if the power was cut while it was written. Only
// files of the idle slot are written there, so that only those can be lost.
func (m medium) repairBoot() {
	repaired, err := slot.Repair(func(option string) ([]byte, error) { return m.run(disk.Boot, "fsck.vfat", option) })
	if err != nil {
		fmt.Println("tutti-init:", err)
	} else if repaired {
		fmt.Println("tutti-init: the power was cut while the boot partition was written; it is repaired")
	}
}

// mountData mounts the data partition, repaired or, if nothing else helps, made
// anew: a speaker that plays without its settings is better than a silent one.
func (m medium) mountData() error {
	mount := func() error {
		return unix.Mount(m.Partition(disk.Data), "/root/data", "ext4", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOATIME, "")
	}
	err := mount()
	if err != nil {
		fmt.Println("tutti-init: the data partition is damaged, repairing it:", err)
		m.tool(disk.Data, "e2fsck", "-p", "-f")
		err = mount()
	}
	if err != nil {
		fmt.Println("tutti-init: it cannot be repaired, making it anew; settings are lost:", err)
		m.tool(disk.Data, "mkfs.ext4", "-q", "-F", "-L", "tutti-data")
		err = mount()
	}
	if err != nil {
		return fmt.Errorf("mount the data partition: %w", err)
	}
	if m.short() {
		m.tool(disk.Data, "resize2fs")
	}
	return nil
}

// short reports whether the file system ends before its partition does: always at
// the first start on a larger card.
func (m medium) short() bool {
	const most = 10 // percent that a file system keeps for itself
	var s unix.Statfs_t
	size, err := m.Size(disk.Data)
	if err != nil || unix.Statfs("/root/data", &s) != nil {
		return false
	}
	return s.Blocks*uint64(s.Bsize) < size/100*(100-most)
}

// run runs one of the slot's own programs on a partition; they want to see /dev and
// /proc.
func (m medium) run(partition int, name string, args ...string) ([]byte, error) {
	for _, at := range []string{"/dev", "/proc"} {
		if err := unix.Mount(at, "/root"+at, "", unix.MS_BIND, ""); err == nil {
			defer func() { _ = unix.Unmount("/root"+at, 0) }()
		}
	}
	cmd := exec.Command("/usr/sbin/"+name, append(args, m.Partition(partition))...)
	cmd.SysProcAttr = &unix.SysProcAttr{Chroot: "/root"}
	cmd.Dir = "/"
	return cmd.CombinedOutput()
}

// tool runs such a program, and tells if it fails.
func (m medium) tool(partition int, name string, args ...string) {
	out, err := m.run(partition, name, args...)
	const repaired = 1 // the exit code of all fsck: there was something, and it is well
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && strings.Contains(name, "fsck") && exit.ExitCode() == repaired {
		err = nil
	}
	if err != nil {
		fmt.Printf("tutti-init: %s: %v: %s\n", name, err, out)
	}
}

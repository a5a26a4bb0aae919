// Package card finds, among the disks of a running machine, the one it was started
// from. Methods are not safe for concurrent use.
package card

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/image/disk"
)

// Card is a disk with our partitions.
type Card struct {
	Name  string // "mmcblk0"
	Table disk.Table
}

// ErrAbsent is wrapped when no disk has the signature.
var ErrAbsent = errors.New("the card is not there")

// Booted returns the card and the slot that this machine was started from.
func Booted() (*Card, disk.Slot, error) {
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return nil, 0, err
	}
	signature, slot, err := disk.ParseCommandLine(string(line))
	if err != nil {
		return nil, 0, fmt.Errorf("this machine was not started from a Tutti image: %w", err)
	}
	c, err := Find(signature)
	return c, slot, err
}

// Find returns the disk that has the signature.
func Find(signature uint32) (*Card, error) {
	disks, _ := filepath.Glob("/sys/block/*")
	for i, d := range disks {
		disks[i] = filepath.Base(d)
		if t, err := read("/dev/" + disks[i]); err == nil && t.Signature == signature {
			return &Card{Name: disks[i], Table: t}, nil
		}
	}
	return nil, fmt.Errorf("%w: none of %v has the signature %08x", ErrAbsent, disks, signature)
}

func read(device string) (t disk.Table, err error) {
	f, err := os.Open(device)
	if err != nil {
		return t, err
	}
	defer f.Close()
	var sector [disk.SectorSize]byte
	if _, err := f.ReadAt(sector[:], 0); err != nil {
		return t, err
	}
	return disk.Parse(sector[:])
}

// Partition returns the path of a partition's device.
func (c *Card) Partition(n int) string { return "/dev/" + disk.Device(c.Name, n) }

// Grow stretches the data partition over the card and reports whether it did: one
// sector is written, which a power cut leaves old or new. No partition may be mounted.
func (c *Card) Grow() (grown bool, err error) {
	sectors, err := c.sectors(c.Name)
	if err != nil {
		return false, err
	}
	t := c.Table
	if !t.Grow(sectors) {
		return false, nil
	}
	f, err := os.OpenFile("/dev/"+c.Name, os.O_RDWR|unix.O_SYNC, 0)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if _, err := f.WriteAt(t.Append(nil), 0); err != nil {
		return false, err
	}
	c.Table = t
	return true, unix.IoctlSetInt(int(f.Fd()), unix.BLKRRPART, 0)
}

// Size returns how many bytes a partition has.
func (c *Card) Size(n int) (uint64, error) {
	sectors, err := c.sectors(disk.Device(c.Name, n))
	return sectors * disk.SectorSize, err
}

func (c *Card) sectors(device string) (uint64, error) {
	text, err := os.ReadFile("/sys/class/block/" + device + "/size")
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
}

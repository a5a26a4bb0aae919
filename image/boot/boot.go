// Package boot says which slot of a card is started next, in the files that the
// board's own loader reads from the boot partition.
//
// After an update a slot is on trial until it has been well for a minute. A slot on
// trial that was started once is not started again unless it was found good; and a
// power cut at any moment leaves a card that starts.
//
//   - EFI: systemd-boot's boot counting (systemd.io, Automatic Boot Assessment). The
//     loader itself counts, so that even a kernel that hangs is given up when the
//     machine starts again.
//   - Raspberry Pi: the firmware includes one line, slot.txt, into its config.txt.
//     It cannot count with Debian's kernel (its tryboot flag needs a driver that
//     mainline lacks), so the slot's initramfs does, by Started: a kernel that hangs
//     before it gets there must be undone by hand, in slot.txt, on another computer.
//
// A Loader belongs to one goroutine. The partition must be mounted writable for all
// that writes.
package boot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tutti-audio/tutti/image/disk"
)

// Loader chooses slots.
type Loader interface {
	// Chosen returns the slot that is started when none is on trial.
	Chosen() (disk.Slot, error)
	// OnTrial reports whether the slot that runs is on trial.
	OnTrial(running disk.Slot) (bool, error)
	// Started is called by the initramfs. It reports whether the slot had its
	// trial before; then the other one is chosen, and should be running.
	Started(running disk.Slot) (wrong bool, err error)
	// Forget makes sure that a slot, which is going to be overwritten, is not
	// started.
	Forget(slot disk.Slot) error
	// Try has a slot started next, on trial.
	Try(slot disk.Slot, e Entry) error
	// Choose has a slot started from now on, and ends all trials.
	Choose(slot disk.Slot) error
}

// Entry is what a loader needs to know of a system.
type Entry struct {
	Version     string
	CommandLine string
}

// ErrNoLoader is wrapped when a folder is no boot partition of ours.
var ErrNoLoader = errors.New("no boot loader of a Tutti image")

// Open finds the loader of a mounted boot partition.
func Open(dir string) (Loader, error) {
	if _, err := os.Stat(filepath.Join(dir, piSlot)); err == nil {
		return pi{dir}, nil
	}
	if _, err := os.Stat(filepath.Join(dir, efiEntries)); err == nil {
		return efi{dir}, nil
	}
	return nil, fmt.Errorf("%s: %w", dir, ErrNoLoader)
}

// overwrite replaces a file's contents in place by others of the same length. They
// fit a sector, so a power cut leaves the old or the new ones.
func overwrite(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	if err == nil {
		err = f.Truncate(int64(len(data)))
	}
	return errors.Join(err, f.Sync(), f.Close())
}

// writeNew writes a file that is wholly there or not at all.
func writeNew(name string, data []byte) error {
	f, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(name+".new", name); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

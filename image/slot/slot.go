// Package slot writes a system into the slot of a card that does not run, in such an
// order that a power cut at any moment leaves a card that starts, and whose boot
// partition [Repair] makes whole: FAT has no journal.
package slot

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/image/boot"
	"github.com/tutti-audio/tutti/image/disk"
	"github.com/tutti-audio/tutti/image/update"
)

// Target is the slot to be written.
type Target struct {
	Slot      disk.Slot
	Boot      string // where the boot partition is mounted, writable
	Loader    boot.Loader
	Root      string // the slot's root partition
	Room      uint64 // its size
	Signature uint32 // of the card
}

func (t *Target) dir() string { return filepath.Join(t.Boot, t.Slot.String()) }

// Clear makes sure that the slot is not started, and removes its files. That is on
// the card before anything else is written, so that nothing new can come to lie where
// something old is still known.
func (t *Target) Clear() error {
	if err := errors.Join(t.Loader.Forget(t.Slot), t.sync()); err != nil {
		return err
	}
	for _, name := range append(t.leftovers(), t.dir()) {
		if err := os.RemoveAll(name); err != nil {
			return err
		}
	}
	return t.sync()
}

// leftovers are the files in which fsck.vfat keeps what it found of an update that a
// power cut has ended.
func (t *Target) leftovers() []string {
	all, _ := filepath.Glob(filepath.Join(t.Boot, "FSCK*.REC"))
	lower, _ := filepath.Glob(filepath.Join(t.Boot, "fsck*.rec"))
	return append(all, lower...)
}

// Write writes all parts of an update into the slot, which was cleared; only when all
// are whole is it put on trial.
func (t *Target) Write(b *update.Bundle) error {
	line := disk.CommandLine(t.Signature, t.Slot, b.Manifest.CommandLine)
	for {
		part, r, err := b.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := t.part(part, r); err != nil {
			return err
		}
	}
	if err := writeFile(filepath.Join(t.dir(), "cmdline.txt"), newFile, strings.NewReader(line+"\n")); err != nil {
		return err
	}
	if err := t.sync(); err != nil {
		return err
	}
	return errors.Join(t.Loader.Try(t.Slot, boot.Entry{Version: b.Manifest.Version, CommandLine: line}), t.sync())
}

const newFile = os.O_WRONLY | os.O_CREATE | os.O_TRUNC

func (t *Target) part(part update.Part, r io.Reader) error {
	if part.Name != update.Root {
		return writeFile(filepath.Join(t.dir(), filepath.FromSlash(part.Name)), newFile, r)
	}
	if uint64(part.Size) > t.Room {
		return fmt.Errorf("the update's system has %d bytes, the slot %d", part.Size, t.Room)
	}
	return writeFile(t.Root, os.O_WRONLY, r)
}

func writeFile(name string, mode int, r io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(name, mode, 0o644)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, r, make([]byte, 1<<20))
	return errors.Join(err, f.Sync(), f.Close())
}

// sync returns when all of the boot partition is on the card: a file's own Sync leaves
// its name out, and Syncfs alone does not empty the card's cache, on FAT.
func (t *Target) sync() error {
	d, err := os.Open(t.Boot)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(d.Fd())), d.Sync(), d.Close())
}

package boot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/tutti-audio/tutti/image/disk"
	"github.com/tutti-audio/tutti/image/update"
)

const efiEntries = "loader/entries"

// efi is systemd-boot with one entry for each slot: tutti-a.conf. On trial it is
// called tutti-a+1.conf, and once that was started, by the loader itself,
// tutti-a+0-1.conf; such an entry comes after all others.
type efi struct{ dir string }

// EFIFiles returns the files that a new image starts with.
func EFIFiles(e Entry) map[string][]byte {
	return map[string][]byte{
		"loader/loader.conf":                      []byte("timeout 0\neditor no\n"),
		efiEntries + "/" + efiName(disk.A) + conf: e.efi(disk.A),
	}
}

const conf = ".conf"

func efiName(s disk.Slot) string { return "tutti-" + strings.ToLower(s.String()) }

// efi is the entry's text. Of two entries with one sort-key the one with the newer
// version is started.
func (e Entry) efi(s disk.Slot) []byte {
	return fmt.Appendf(nil, "title Tutti %s (%v)\nsort-key tutti\nversion %s\nlinux /%v/kernel.img\ninitrd /%v/initramfs.img\noptions %s\n",
		e.Version, s, e.Version, s, s, e.CommandLine)
}

// find returns the paths of a slot's entries: one, but for a power cut.
func (l efi) find(s disk.Slot) (all []string, err error) {
	all, err = filepath.Glob(filepath.Join(l.dir, efiEntries, efiName(s)+"*"+conf))
	sort.Strings(all)
	return all, err
}

// counted reports whether an entry is on trial.
func counted(path string) bool { return strings.Contains(filepath.Base(path), "+") }

// Chosen implements Loader: the newest that is not on trial.
func (l efi) Chosen() (chosen disk.Slot, err error) {
	best := ""
	for _, s := range []disk.Slot{disk.A, disk.B} {
		all, err := l.find(s)
		if err != nil {
			return 0, err
		}
		for _, path := range all {
			version, err := efiVersion(path)
			if err != nil {
				return 0, err
			}
			if !counted(path) && (chosen == 0 || update.Newer(version, best)) {
				chosen, best = s, version
			}
		}
	}
	if chosen == 0 {
		return 0, fmt.Errorf("%s has no entry that is not on trial", filepath.Join(l.dir, efiEntries))
	}
	return chosen, nil
}

func efiVersion(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	for _, line := range strings.Split(string(b), "\n") {
		if v, ok := strings.CutPrefix(line, "version "); ok {
			return strings.TrimSpace(v), nil
		}
	}
	return "", nil
}

// OnTrial implements Loader.
func (l efi) OnTrial(running disk.Slot) (bool, error) {
	all, err := l.find(running)
	return len(all) > 0 && counted(all[len(all)-1]), err
}

// Started implements Loader; systemd-boot has counted.
func (l efi) Started(disk.Slot) (wrong bool, err error) { return false, nil }

// Try implements Loader.
func (l efi) Try(slot disk.Slot, e Entry) error {
	if err := l.Forget(slot); err != nil {
		return err
	}
	return writeNew(filepath.Join(l.dir, efiEntries, efiName(slot)+"+1"+conf), e.efi(slot))
}

// Forget implements Loader: it removes the slot's entries.
func (l efi) Forget(slot disk.Slot) error {
	all, err := l.find(slot)
	for _, path := range all {
		err = errors.Join(err, os.Remove(path))
	}
	return errors.Join(err, syncDir(filepath.Join(l.dir, efiEntries)))
}

// Choose implements Loader: the slot's trial ends well, or the other's badly.
func (l efi) Choose(slot disk.Slot) error {
	all, err := l.find(slot)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("slot %v has no entry in %s", slot, efiEntries)
	}
	dir := filepath.Join(l.dir, efiEntries)
	if last := all[len(all)-1]; counted(last) {
		if err := os.Rename(last, filepath.Join(dir, efiName(slot)+conf)); err != nil {
			return err
		}
	}
	if now, err := l.Chosen(); err != nil || now != slot { // the other is newer
		return errors.Join(err, l.Forget(slot.Other()))
	}
	others, err := l.find(slot.Other())
	for _, path := range others {
		if counted(path) {
			err = errors.Join(err, os.Remove(path))
		}
	}
	return errors.Join(err, syncDir(dir))
}

package boot

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tutti-audio/tutti/image/disk"
)

// piSlot is included into config.txt: a line for the firmware, which folder to
// start, and a comment for us, how the trial stands. It fits a sector, so that it
// changes at once.
const piSlot = "slot.txt"

// trial is how the trial of the slot in piSlot stands.
type trial string

// The states, all as long as each other.
const (
	trialNone  trial = "none "
	trialArmed trial = "armed" // it is to be started
	trialSpent trial = "spent" // it was started
)

// pi is the Raspberry Pi's firmware.
type pi struct{ dir string }

// PiFiles returns the files that a new image starts with.
func PiFiles() map[string][]byte {
	return map[string][]byte{piSlot: piText(disk.A, trialNone)}
}

func piText(s disk.Slot, t trial) []byte {
	return fmt.Appendf(nil, "os_prefix=%v/\n# trial: %s\n", s, t)
}

// read returns what the firmware starts next, and how its trial stands.
func (p pi) read() (disk.Slot, trial, error) {
	b, err := os.ReadFile(filepath.Join(p.dir, piSlot))
	if err != nil {
		return 0, "", err
	}
	return parsePi(string(b))
}

// parsePi reads piSlot. A person may have changed the line and lost the comment:
// then there is no trial.
func parsePi(text string) (slot disk.Slot, t trial, err error) {
	t = trialNone
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if v, ok := strings.CutPrefix(line, "os_prefix="); ok {
			if slot, err = disk.ParseSlot(strings.TrimSuffix(v, "/")); err != nil {
				return 0, "", fmt.Errorf("%s: %w", piSlot, err)
			}
		}
		if v, ok := strings.CutPrefix(line, "# trial: "); ok && (v == string(trialArmed) || v == string(trialSpent)) {
			t = trial(v)
		}
	}
	if slot == 0 {
		return 0, "", fmt.Errorf("%s has no line os_prefix=A/ or os_prefix=B/", piSlot)
	}
	return slot, t, nil
}

func (p pi) write(s disk.Slot, t trial) error {
	return overwrite(filepath.Join(p.dir, piSlot), piText(s, t))
}

// Chosen implements Loader.
func (p pi) Chosen() (disk.Slot, error) {
	slot, t, err := p.read()
	if err == nil && t != trialNone {
		slot = slot.Other()
	}
	return slot, err
}

// OnTrial implements Loader.
func (p pi) OnTrial(running disk.Slot) (bool, error) {
	slot, t, err := p.read()
	return slot == running && t != trialNone, err
}

// Started implements Loader.
func (p pi) Started(running disk.Slot) (wrong bool, err error) {
	slot, t, err := p.read()
	switch {
	case err != nil || slot != running:
		return false, err
	case t == trialArmed:
		return false, p.write(slot, trialSpent)
	case t == trialSpent: // started before, and never found good
		return true, p.write(slot.Other(), trialNone)
	}
	return false, nil
}

// Forget implements Loader: the firmware knows of one slot only.
func (p pi) Forget(disk.Slot) error { return nil }

// Try implements Loader.
func (p pi) Try(slot disk.Slot, _ Entry) error { return p.write(slot, trialArmed) }

// Choose implements Loader.
func (p pi) Choose(slot disk.Slot) error { return p.write(slot, trialNone) }

package boot

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tutti-audio/tutti/image/disk"
	"github.com/tutti-audio/tutti/image/update"
)

// card makes a boot partition.
func card(t *testing.T, files map[string][]byte) (dir string, l Loader) {
	t.Helper()
	dir = t.TempDir()
	for name, data := range files {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir, l
}

// machine starts from a boot partition as the firmware would.
type machine struct {
	t       *testing.T
	dir     string
	l       Loader
	running disk.Slot
}

// start powers the machine on and returns the slot that runs in the end.
func (m *machine) start() disk.Slot {
	m.t.Helper()
	for range 3 {
		switch l := m.l.(type) {
		case pi:
			slot, _, err := l.read()
			if err != nil {
				m.t.Fatal(err)
			}
			m.running = slot
		case efi:
			m.running = m.systemdBoot(l)
		}
		wrong, err := m.l.Started(m.running)
		if err != nil {
			m.t.Fatal(err)
		}
		if !wrong {
			return m.running
		}
	}
	m.t.Fatal("the machine starts again and again")
	return 0
}

// systemdBoot does what that loader documents: the newest entry, those with no
// tries left last, and one try fewer for what it starts.
func (m *machine) systemdBoot(l efi) disk.Slot {
	best, bestPath, bestVersion := disk.Slot(0), "", ""
	for pass := 0; best == 0 && pass < 2; pass++ {
		for _, s := range []disk.Slot{disk.A, disk.B} {
			all, _ := l.find(s)
			for _, path := range all {
				spent := filepath.Base(path) == efiName(s)+"+0-1.conf"
				version, _ := efiVersion(path)
				if spent == (pass == 1) && (best == 0 || update.Newer(version, bestVersion)) {
					best, bestPath, bestVersion = s, path, version
				}
			}
		}
	}
	if filepath.Base(bestPath) == efiName(best)+"+1.conf" {
		if err := os.Rename(bestPath, filepath.Join(filepath.Dir(bestPath), efiName(best)+"+0-1.conf")); err != nil {
			m.t.Fatal(err)
		}
	}
	return best
}

func machines(t *testing.T, check func(t *testing.T, m *machine)) {
	for name, files := range map[string]map[string][]byte{"pi": PiFiles(), "efi": EFIFiles(Entry{Version: "1.0", CommandLine: "tutti.slot=A"})} {
		t.Run(name, func(t *testing.T) {
			dir, l := card(t, files)
			check(t, &machine{t: t, dir: dir, l: l})
		})
	}
}

func (m *machine) expect(want disk.Slot, why string) {
	m.t.Helper()
	if got := m.start(); got != want {
		m.t.Errorf("%s: slot %v runs, want %v", why, got, want)
	}
}

func (m *machine) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func TestGoodUpdate(t *testing.T) {
	machines(t, func(t *testing.T, m *machine) {
		m.expect(disk.A, "new")
		for i, slot := range []disk.Slot{disk.B, disk.A, disk.B} {
			m.must(m.l.Try(slot, Entry{Version: "1." + string(rune('1'+i))}))
			m.expect(slot, "on trial")
			if on, err := m.l.OnTrial(slot); !on || err != nil {
				t.Errorf("slot %v is not on trial: %v", slot, err)
			}
			if was, err := m.l.Chosen(); was != slot.Other() || err != nil {
				t.Errorf("during the trial %v is chosen, %v", was, err)
			}
			m.must(m.l.Choose(slot))
			m.expect(slot, "found good")
			m.expect(slot, "and again")
			if on, err := m.l.OnTrial(slot); on || err != nil {
				t.Errorf("slot %v is still on trial: %v", slot, err)
			}
		}
	})
}

func TestBadUpdate(t *testing.T) {
	machines(t, func(t *testing.T, m *machine) {
		m.expect(disk.A, "new")
		m.must(m.l.Try(disk.B, Entry{Version: "1.1"}))
		m.expect(disk.B, "on trial")
		m.expect(disk.A, "power cut during the trial")
		m.expect(disk.A, "and again")
		m.must(m.l.Try(disk.B, Entry{Version: "1.2"}))
		m.expect(disk.B, "next trial")
		m.must(m.l.Choose(disk.A)) // it was found bad
		m.expect(disk.A, "given up")
		if on, err := m.l.OnTrial(disk.A); on || err != nil {
			t.Errorf("slot A is on trial: %v", err)
		}
	})
}

// A person may have edited slot.txt on another computer.
func TestPiByHand(t *testing.T) {
	for text, want := range map[string]disk.Slot{"os_prefix=B/\r\n": disk.B, "os_prefix=A\n\n": disk.A, "# hello\nos_prefix=B/": disk.B} {
		if slot, trial, err := parsePi(text); slot != want || trial != trialNone || err != nil {
			t.Errorf("%q: %v %v %v", text, slot, trial, err)
		}
	}
	for _, text := range []string{"", "os_prefix=C/"} {
		if _, _, err := parsePi(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	if _, err := Open(t.TempDir()); err == nil {
		t.Error("an empty folder is a boot partition")
	}
}

//go:build vm

package imagetest

import (
	"crypto/ed25519"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tutti-audio/tutti/image/update"
)

// newKey makes a key for updates out of anything.
func newKey(b *bench, from io.Reader) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	_, err := io.ReadFull(from, seed)
	b.must(err)
	return ed25519.NewKeyFromSeed(seed)
}

// install runs an update from the test's server.
func (b *bench) install(name string) (string, error) {
	began := time.Now()
	out, err := b.Shell(b.Context(), "tutti-os update "+b.server+name)
	b.note("update %s took %.0f s", name, time.Since(began).Seconds())
	return out, err
}

// update: 1.1 is written, tried, found good and kept.
func (b *bench) update(m *Machine) {
	if out, err := b.install(filepath.Base(b.file(generic, "1.1", ".tutti"))); !strings.Contains(out, "starts on trial") {
		b.Fatalf("FAIL the update: %v\n%s", err, out)
	}
	b.pass("update to 1.1 is written, the speaker starts again by itself")
	b.must(b.trial("1.1", "B"))
	b.pass("1.1 runs in slot B, on trial")
	if out, err := b.Shell(b.Context(), "tutti-os update /dev/null"); err == nil || !strings.Contains(out, "itself on trial") {
		b.Errorf("FAIL an update during the trial: %q, %v", out, err)
	}
	b.must(m.Says(b.Context(), "update 1.1 is good: slot B stays"))
	b.version, b.slot = "1.1", "B"
	b.system(b.version, b.slot, "found good")
	b.pass("after a minute without a fault it is found good")
	b.cycle(m, "a power cut afterwards")
}

func (b *bench) trial(version, slot string) error {
	_, err := b.ShellUntil(b.Context(), "tutti-os status", version+" for "+generic+", slot "+slot+", on trial")
	return err
}

// cycle cuts the power: then the same system starts and plays.
func (b *bench) cycle(m *Machine, after string) {
	b.Helper()
	m.PowerOff()
	b.must(m.PowerOn(b.Context()))
	b.hears(m, 0)
	heard := time.Since(m.On)
	b.up(m)
	b.system(b.version, b.slot, "found good")
	b.pass("%s: %s in slot %s starts, found good, and plays after %.0f s", after, b.version, b.slot, heard.Seconds())
	b.sounded = append(b.sounded, heard)
}

// refused: updates that must not be taken.
func (b *bench) refused(m *Machine) {
	good, err := os.ReadFile(b.file(generic, "1.2", ".tutti"))
	b.must(err)
	key, err := Key(b.keyFile())
	b.must(err)
	stranger := strings.NewReader(strings.Repeat("someone else's key ", 9))
	foreign, err := Remake(good, newKey(b, stranger), func(*update.Manifest) {})
	b.must(err)
	other, err := Remake(good, key, func(m *update.Manifest) { m.Board = pi })
	b.must(err)
	old, err := os.ReadFile(b.file(generic, "1.0", ".tutti"))
	b.must(err)
	for _, bad := range []struct {
		name string
		data []byte
		want error
	}{
		{"older", old, update.ErrOlder},
		{"signed by another key", foreign, update.ErrForeign},
		{"for another board", other, update.ErrBoard},
		{"not an update", []byte(strings.Repeat("<html>", 99)), update.ErrForeign},
		{"truncated", good[:len(good)/3*2], update.ErrTruncated},
		{"damaged in one bit", Flip(good), update.ErrDamaged},
	} {
		b.must(os.WriteFile(filepath.Join(b.made, "bad.tutti"), bad.data, 0o644))
		out, err := b.install("bad.tutti")
		if err == nil || !strings.Contains(out, bad.want.Error()) {
			b.Fatalf("FAIL an update that is %s: %v\n%s", bad.name, err, out)
		}
		lines := strings.Split(out, "\n")
		b.pass("an update that is %s is refused: %s", bad.name, strings.Join(lines[max(0, len(lines)-2):], " | "))
		b.cycle(m, "after it")
	}
	_ = os.Remove(filepath.Join(b.made, "bad.tutti"))
}

// interrupted: an update meets a damaged boot partition, and its power is cut while it
// is written, and while the next one is on trial.
func (b *bench) interrupted(m *Machine) {
	name := filepath.Base(b.file(generic, "1.2", ".tutti"))
	entry, err := m.Card.Entry("A/kernel.img")
	b.must(err)
	_, err = b.Shell(b.Context(), fmt.Sprintf("dd if=/dev/zero of=/dev/vda1 bs=4 count=1 seek=%d conv=notrunc 2>&1", entry/4))
	b.must(err)
	update := b.begin("half/" + name)
	update.until(b.halfway)
	time.Sleep(2 * time.Second)
	m.PowerOff()
	if said := update.end(); !strings.Contains(said, "damaged; repairing") {
		b.Errorf("FAIL the update did not meet the damage: %s", said)
	}
	b.cycle(m, "power cut in the middle of writing an update")

	if out, err := b.install(name); !strings.Contains(out, "starts on trial") {
		b.Fatalf("FAIL the update: %v\n%s", err, out)
	}
	b.must(b.trial("1.2", "A"))
	b.note("1.2, whose speaker does not start, is on trial in slot A")
	b.cycle(m, "power cut during a trial")
}

// rollback: what does not work goes back by itself.
func (b *bench) rollback(m *Machine) {
	if out, err := b.install(filepath.Base(b.file(generic, "1.2", ".tutti"))); !strings.Contains(out, "starts on trial") {
		b.Fatalf("FAIL the update: %v\n%s", err, out)
	}
	b.must(m.Says(b.Context(), "going back to slot B"))
	b.note("1.2 gives up")
	from, _ := Heard(m.Sound(), 0)
	b.hears(m, len(from))
	b.up(m)
	b.system(b.version, b.slot, "found good")
	b.pass("an update whose speaker does not start goes back by itself, and 1.1 in slot B plays")
}

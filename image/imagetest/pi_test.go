//go:build vm

package imagetest

import (
	"context"
	"crypto/ed25519"
	"io"
	"path/filepath"
	"strings"
	"time"
)

const (
	pi     = "pi64"
	piSize = 1 << 30 // a power of two
	// QEMU takes the start of the Pi's watchdog for its end: it resets at once.
	piConsole = "console=ttyS1,115200 systemd.watchdog_sec=off"
)

// newKey makes a key for updates out of anything.
func newKey(b *bench, from io.Reader) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	_, err := io.ReadFull(from, seed)
	b.must(err)
	return ed25519.NewKeyFromSeed(seed)
}

// pi: the same on a Raspberry Pi 3, without sound, which QEMU does not have there.
func (b *bench) pi() {
	b.image(pi, "1.0", piConsole)
	card, err := WriteCard(b.file(pi, "1.0", ".img"), filepath.Join(b.dir, "pi.img"), piSize)
	b.must(err)
	b.settings(card, "dac = \"pcm5102a\"\n")
	m := Pi(b.house, card, b.dir)
	b.Cleanup(m.PowerOff)
	_ = command("rm", "-f", filepath.Join(b.dir, "known_hosts")) // another board

	b.must(m.PowerOn(b.Context()))
	b.again(m, "sound board")
	b.pass("the first start chooses the DAC board and starts again: %.0f s", time.Since(m.On).Seconds())
	b.must(m.PowerOn(b.Context()))
	b.up(m)
	b.pass("the speaker answers %.0f s after power on", time.Since(m.On).Seconds())
	out, err := b.ShellUntil(b.Context(), "cat /proc/asound/cards", "[")
	b.must(err)
	b.pass("with dac = \"pcm5102a\" there is a sound card: %s", strings.Join(strings.Fields(out), " "))
	b.system("1.0", "A", "found good")
	b.slots(m)
}

// again waits until the machine has said something and ended to start again.
func (b *bench) again(m *Machine, said string) {
	b.Helper()
	if err := m.Says(b.Context(), said); err != nil {
		b.Fatalf("FAIL %v\n%s", err, m.Tail())
	}
	ctx, cancel := context.WithTimeout(b.Context(), Patience)
	defer cancel()
	b.must(m.Ended(ctx))
}

// slots: a trial that nobody finds good is over after one start.
func (b *bench) slots(m *Machine) {
	m.PowerOff()
	b.must(m.Card.Duplicate(b.dir))
	b.must(m.Card.Write("slot.txt", []byte("os_prefix=B/\n# trial: armed\n")))
	b.must(m.PowerOn(b.Context()))
	b.must(b.onTrial(m))
	b.pass("slot B, armed in slot.txt, runs on trial")
	m.PowerOff()
	b.must(m.PowerOn(b.Context()))
	b.again(m, "going back to A")
	b.must(m.PowerOn(b.Context()))
	b.up(m)
	b.system("1.0", "A", "found good")
	b.pass("switched off before it was found good, it is not started again: slot A runs")
}

func (b *bench) onTrial(m *Machine) error {
	return m.Says(b.Context(), "update 1.0 in slot B is on trial")
}

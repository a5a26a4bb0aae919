//go:build vm

package imagetest

import (
	"context"
	"path/filepath"
	"time"
)

const (
	pi     = "pi64"
	piSize = 1 << 30 // a power of two
	// QEMU takes the start of the Pi's watchdog for its end: it resets at once. Its
	// network adapter is one that Linux has a second, wrong driver for. Units are
	// shown because the console is the test's ear.
	piConsole = "console=ttyS1,115200 systemd.watchdog_sec=off module_blacklist=cdc_subset systemd.show_status=yes"
)

// What the console says: that the speaker runs, and that it has opened the sound card
// on I2S, which QEMU gives no clock.
const (
	speakerRuns = "Tutti speaker.\r"
	cardOpened  = "bcm2835-i2s 3f203000.i2s: I2S SYNC error"
)

// pi: cards, DAC boards and slots on a Raspberry Pi 3. QEMU has no sound there, and
// its network is too slow to be leant on.
func (b *bench) pi() {
	b.image(pi, "1.0", piConsole)
	card, err := WriteCard(b.file(pi, "1.0", ".img"), filepath.Join(b.dir, "pi.img"), piSize)
	b.must(err)
	b.settings(card, "dac = \"pcm5102a\"\n")
	m := Pi(b.house, card, b.dir)
	b.Cleanup(m.PowerOff)

	b.must(m.PowerOn(b.Context()))
	b.again(m, "sound board: \"pcm5102a\"")
	b.pass("the first start chooses the DAC board and starts again: %.0f s", time.Since(m.On).Seconds())
	where, err := card.Find(passphrase)
	b.must(err)
	if len(where) > 0 {
		b.Errorf("FAIL the passphrase still stands on the card, in partitions %v", where)
	}
	b.must(m.PowerOn(b.Context()))
	b.says(m, speakerRuns)
	b.pass("the speaker runs %.0f s after power on", time.Since(m.On).Seconds())
	b.says(m, cardOpened)
	b.pass("with dac = \"pcm5102a\" it opens the sound card on I2S, %.0f s after power on", time.Since(m.On).Seconds())
	b.slots(m)
}

// says waits for what the console is to say.
func (b *bench) says(m *Machine, text string) {
	b.Helper()
	if err := m.Says(b.Context(), text); err != nil {
		b.Fatalf("FAIL start %d: %v", m.Starts, err)
	}
}

// again waits until the machine has said something and ended to start again.
func (b *bench) again(m *Machine, said string) {
	b.Helper()
	b.says(m, said)
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
	b.says(m, "update 1.0 in slot B is on trial")
	b.pass("slot B, armed in slot.txt, runs on trial after %.0f s", time.Since(m.On).Seconds())
	m.PowerOff()
	b.slotIs(m, "os_prefix=B/\n# trial: spent\n")
	b.must(m.PowerOn(b.Context()))
	b.again(m, "going back to A")
	b.slotIs(m, "os_prefix=A/\n# trial: none \n")
	b.must(m.PowerOn(b.Context()))
	b.says(m, speakerRuns)
	b.pass("switched off before it was found good, it is not started again: slot A runs after %.0f s", time.Since(m.On).Seconds())
}

func (b *bench) slotIs(m *Machine, want string) {
	b.Helper()
	got, err := m.Card.Read("slot.txt")
	b.must(err)
	if string(got) != want {
		b.Fatalf("FAIL slot.txt is %q, not %q", got, want)
	}
}

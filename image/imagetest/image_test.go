//go:build vm

package imagetest

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/image/disk"
	"github.com/tutti-audio/tutti/image/update"
)

const (
	generic        = "generic-arm64"
	genericConsole = "console=ttyAMA0"
	cardSize       = 1200 << 20
)

// TestImage makes images and lives with them in an emulator. CUTS is how many random
// power cuts are made; REUSE=1 takes the images of an earlier run.
func TestImage(t *testing.T) {
	b := newBench(t)
	ok := t.Run(generic, func(t *testing.T) { b.within(t, b.generic) })
	ok = t.Run(pi, func(t *testing.T) { b.within(t, b.pi) }) && ok
	t.Logf("%5.0f s  %d checks, all well: %v", time.Since(b.began).Seconds(), b.checks, ok)
}

// within lets a part of the test speak for itself.
func (b *bench) within(t *testing.T, part func()) {
	whole := b.T
	b.T = t
	defer func() { b.T = whole }()
	part()
}

func (b *bench) generic() {
	b.image(generic, "1.0", genericConsole)
	b.reproducible()
	b.image(generic, "1.1", genericConsole)
	b.broken(generic, "1.2", genericConsole+" tutti.patience=90s")
	card, err := WriteCard(b.file(generic, "1.0", ".img"), filepath.Join(b.dir, "card.img"), cardSize)
	b.must(err)
	b.settings(card, "")
	b.play()
	m, err := EFI(b.house, card, b.dir)
	b.must(err)
	b.Cleanup(m.PowerOff)
	b.first(m)
	b.inside(m)
	b.card(m)
	b.tone(m)
	b.update(m)
	b.refused(m)
	b.interrupted(m)
	b.rollback(m)
	b.cuts(m)
}

// reproducible: the same version made twice is the same.
func (b *bench) reproducible() {
	if os.Getenv("REUSE") != "" {
		return
	}
	var sums [2]string
	for i := range sums {
		if i > 0 {
			b.image(generic, "1.0", genericConsole)
		}
		sums[i] = b.hash(b.file(generic, "1.0", ".img")) + " " + b.hash(b.file(generic, "1.0", ".tutti"))
	}
	if sums[0] != sums[1] {
		b.Errorf("the image made twice differs:\n%s\n%s", sums[0], sums[1])
		return
	}
	b.pass("image and update made twice are the same: %s", sums[0])
}

func (b *bench) first(m *Machine) {
	b.must(m.PowerOn(b.Context()))
	status := b.up(m)
	b.pass("the speaker answers %.1f s after power on: %s in %s, %s, %s", time.Since(m.On).Seconds(), status.Name, status.Room, status.Hardware.Board, status.Output.Name)
	b.hears(m, 0)
	b.pass("first sound %.1f s after the first power on", time.Since(m.On).Seconds())
	if status.Name != "Proof" || status.Room != "Workshop" {
		b.Errorf("name and room are %q and %q, not those of tutti.toml", status.Name, status.Room)
	}
	b.system("1.0", "A", "found good")
	b.pass("tutti-os: 1.0, slot A, found good")
}

// inside looks around by SSH.
func (b *bench) inside(m *Machine) {
	b.units()
	b.ports()
	for what, c := range map[string]struct{ command, want string }{
		"the root is read-only":           {"cat /proc/mounts", `(?m) / squashfs ro`},
		"the boot partition is read-only": {"cat /proc/mounts", `(?m) /boot vfat ro`},
		"no root password":                {"cat /etc/shadow", `(?m)^root:!`},
		"the passphrase became a hash":    {"cat /data/tutti/wifi/wpa_supplicant.conf", `(?m)^\s*psk=[0-9a-f]{64}$`},
		"the speaker is not root":         {"stat -c %U /proc/$(systemctl show -P MainPID tutti)", `^tutti$`},
	} {
		out, err := b.Shell(b.Context(), c.command)
		if err != nil || !regexp.MustCompile(c.want).MatchString(out) {
			b.Errorf("FAIL %s: %q, %v", what, out, err)
			continue
		}
		b.pass("%s", what)
	}
	stranger := &Speaker{Host: b.house, Key: filepath.Join(b.dir, "stranger")}
	b.must(command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", stranger.Key))
	if out, err := stranger.Shell(b.Context(), "true"); err == nil || !strings.Contains(out, "Permission denied") {
		b.Errorf("FAIL a key that is not in tutti.toml: %q, %v", out, err)
	} else {
		b.pass("a key that is not in tutti.toml is refused")
	}
}

// units: systemd is done with its start, and nothing failed.
func (b *bench) units() {
	_, err := b.ShellUntil(b.Context(), "systemctl is-system-running || true", "running")
	if err != nil {
		failed, _ := b.Shell(b.Context(), "systemctl --failed --no-legend; systemctl list-jobs")
		b.Errorf("FAIL %v\n%s", err, failed)
		return
	}
	took, err := b.Shell(b.Context(), "systemd-analyze time | head -1")
	b.must(err)
	b.pass("no unit failed: %s", took)
}

// ports: what listens to the network is what should.
func (b *bench) ports() {
	out, err := b.Shell(b.Context(), "ss -Hlntu")
	b.must(err)
	local := regexp.MustCompile(`^(127\.|\[::1\])`)
	var open []string
	for _, line := range strings.Split(out, "\n") {
		if f := strings.Fields(line); len(f) > 4 && !local.MatchString(f[4]) {
			open = append(open, f[0]+f[4][strings.LastIndex(f[4], ":"):])
		}
	}
	sort.Strings(open)
	want := map[string]string{"tcp:22": "SSH", "tcp:8400": "API and page", "udp:5353": "mDNS", "udp:68": "DHCP", "udp:546": "DHCPv6"}
	for _, port := range open {
		// The stream's own sockets have ports that its description names.
		if _, ok := want[port]; !ok && !b.owned(port) {
			b.Errorf("FAIL %s listens", port)
		}
	}
	b.pass("what listens is SSH, the speaker and DHCP: %s", strings.Join(open, " "))
}

// owned reports whether a UDP port is one of the speaker's, for the stream it plays.
func (b *bench) owned(port string) bool {
	out, err := b.Shell(b.Context(), "ss -Hlnup")
	b.must(err)
	for _, line := range strings.Split(out, "\n") {
		if strings.Contains(line, strings.TrimPrefix(port, "udp")+" ") && strings.Contains(line, `"tutti"`) {
			return strings.HasPrefix(port, "udp")
		}
	}
	return false
}

// card looks at what the first start left on the card.
func (b *bench) card(m *Machine) {
	_, err := b.Shell(b.Context(), "sync; blockdev --flushbufs /dev/vda || true")
	b.must(err)
	where, err := m.Card.Find(passphrase)
	b.must(err)
	if len(where) > 0 {
		b.Errorf("FAIL the passphrase still stands on the card, in partitions %v", where)
	} else {
		b.pass("the passphrase stands nowhere on the card, not even in what was deleted")
	}
	t, err := m.Card.Table()
	b.must(err)
	end, out := int64(t.Sectors())*disk.SectorSize, ""
	out, err = b.Shell(b.Context(), "stat -f -c '%b %S' /data")
	b.must(err)
	var blocks, size int64
	_, err = fmt.Sscan(out, &blocks, &size)
	b.must(err)
	length := int64(t.Spans[disk.Data-1].Length) * disk.SectorSize
	if end != cardSize || blocks*size < length/10*9 {
		b.Errorf("FAIL the data partition ends at %d of %d, its file system has %d of %d", end, cardSize, blocks*size, length)
		return
	}
	b.pass("data partition grown from %d to %d MB, its file system has %d MB", disk.DataSize/1000000, length/1000000, blocks*size/1000000)
}

// tone judges what is heard.
func (b *bench) tone(m *Machine) {
	var tone Tone
	err := Until(b.Context(), "a clean tone", func(context.Context) error {
		samples, err := Heard(m.Sound(), 0)
		if err == nil {
			tone, err = FindTone(samples[max(0, len(samples)-60*rate):], toneHz)
		}
		if err == nil && (math.Abs(tone.Level-toneLevel) > 0.2 || tone.Rest > -60) {
			err = fmt.Errorf("%d Hz has %.2f dB, the rest %.1f dB below", toneHz, tone.Level, -tone.Rest)
		}
		return err
	})
	b.must(err)
	b.pass("%d Hz at %.2f dB full scale (sent at %d), everything else %.1f dB below it", toneHz, tone.Level, toneLevel, -tone.Rest)
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
	b.system("1.1", "B", "found good")
	b.pass("after a minute without a fault it is found good")
	b.cycle(m, "a power cut afterwards")
}

func (b *bench) trial(version, slot string) error {
	_, err := b.ShellUntil(b.Context(), "tutti-os status", version+" for "+generic+", slot "+slot+", on trial")
	return err
}

// cycle cuts the power: then 1.1 in slot B starts and plays.
func (b *bench) cycle(m *Machine, after string) {
	b.Helper()
	m.PowerOff()
	b.must(m.PowerOn(b.Context()))
	b.hears(m, 0)
	heard := time.Since(m.On)
	b.up(m)
	b.system("1.1", "B", "found good")
	b.pass("%s: 1.1 in slot B starts, found good, and plays after %.0f s", after, heard.Seconds())
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

// interrupted: power cuts while an update is written, and while it is on trial.
func (b *bench) interrupted(m *Machine) {
	name := filepath.Base(b.file(generic, "1.2", ".tutti"))
	ended := make(chan struct{})
	go func() { defer close(ended); _, _ = b.install("half/" + name) }()
	select {
	case <-b.halfway:
	case <-ended:
		b.Fatal("FAIL the update ended before its middle")
	}
	time.Sleep(2 * time.Second)
	m.PowerOff()
	<-ended
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
	b.system("1.1", "B", "found good")
	b.pass("an update whose speaker does not start goes back by itself, and 1.1 in slot B plays")
}

// cuts: random power cuts within a minute of power on.
func (b *bench) cuts(m *Machine) {
	n := 5
	if v, err := strconv.Atoi(os.Getenv("CUTS")); err == nil {
		n = v
	}
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	b.note("%d power cuts at random, seed %d", n, seed)
	for i := range n {
		m.PowerOff()
		b.must(m.PowerOn(b.Context()))
		at := time.Duration(random.Int64N(int64(time.Minute)))
		time.Sleep(at)
		b.cycle(m, fmt.Sprintf("power cut %d of %d, %.1f s after power on", i+1, n, at.Seconds()))
	}
	b.pass("%d of %d random power cuts survived", n, n)
}

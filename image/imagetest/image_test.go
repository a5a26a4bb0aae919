//go:build vm

package imagetest

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/image/disk"
)

const (
	generic        = "generic-arm64"
	genericConsole = "console=ttyAMA0"
	cardSize       = 1200 << 20
)

// TestImage makes images and lives with them in an emulator. CUTS is how many random
// power cuts are made, SEED makes those of an earlier run; REUSE=1 takes the images of
// an earlier run; PARTS picks some of what is done with them, such as PARTS=look,tone.
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
	b.play()
	m, err := EFI(b.house, b.newCard(), b.dir)
	b.must(err)
	b.Cleanup(m.PowerOff)
	b.first(m)
	for _, part := range []struct {
		name string
		try  func(*Machine)
	}{
		{"look", b.look}, {"tone", b.tone}, {"update", b.update}, {"refused", b.refused}, {"interrupted", b.interrupted},
		{"rollback", b.rollback}, {"cuts", b.cuts}, // all of these need the update
	} {
		if pick := os.Getenv("PARTS"); pick == "" || slices.Contains(strings.Split(pick, ","), part.name) {
			part.try(m)
		}
	}
}

// newCard writes 1.0 to a card and fills its tutti.toml in.
func (b *bench) newCard() Card {
	b.Helper()
	card, err := WriteCard(b.file(generic, "1.0", ".img"), filepath.Join(b.dir, "card.img"), cardSize)
	b.must(err)
	b.settings(card, "")
	b.version, b.slot = "1.0", "A"
	_ = os.Remove(b.knownHosts()) // its SSH key is a new one
	return card
}

// look looks around in the speaker and on its card.
func (b *bench) look(m *Machine) {
	b.inside()
	b.wifi()
	b.card(m)
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
	b.system(b.version, b.slot, "found good")
	b.pass("tutti-os: 1.0, slot A, found good")
}

// inside looks around by SSH.
func (b *bench) inside() {
	b.units()
	b.ports()
	for what, c := range map[string]struct{ command, want string }{
		"the root is read-only":           {"cat /proc/mounts", `(?m) / squashfs ro`},
		"the boot partition is read-only": {"cat /proc/mounts", `(?m) /boot vfat ro`},
		"no root password":                {"cat /etc/shadow", `(?m)^root:!`},
		"the passphrase became a hash":    {"cat /data/tutti/wifi/wpa_supplicant.conf", `(?m)^\s*psk=[0-9a-f]{64}$`},
		"HTTPS knows its authorities":     {"openssl verify -CAfile /etc/ssl/certs/ca-certificates.crt /usr/share/ca-certificates/mozilla/ISRG_Root_X1.crt", `: OK$`},
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

// wifi: plugged in, it is served, and the rules of its country are known. The radio is
// one of the kernel's own for tests.
func (b *bench) wifi() {
	_, err := b.Shell(b.Context(), "modprobe mac80211_hwsim radios=1")
	b.must(err)
	_, err = b.ShellUntil(b.Context(), "systemctl is-active --quiet wpa_supplicant@wlan0 && echo served || true", "served")
	b.must(err)
	said, err := b.Shell(b.Context(), "dmesg")
	b.must(err)
	if strings.Contains(said, "failed to load regulatory.db") {
		b.Errorf("FAIL Wi-Fi does not know the rules of any country:\n%s", said)
		return
	}
	b.pass("a radio that is plugged in gets its wpa_supplicant, and the regulatory database is loaded")
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

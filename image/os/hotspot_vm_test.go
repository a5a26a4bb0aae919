//go:build vm

package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The unit that starts hotspotguest, from a second disk, in an image that is not
// changed but for its kernel's command line.
const guestUnit = `[Unit]
Before=tutti-hotspot.service
[Service]
Type=notify
TimeoutStartSec=10min
ExecStart=/bin/sh -c 'mount -o ro /dev/vdb /mnt && exec /mnt/hotspotguest >/dev/ttyAMA0 2>&1'
`

// TestHotspot boots an image for generic-arm64 (TUTTI_IMAGE) three times, with no
// network but the radios that hotspotguest makes: a cable is put in while the hotspot
// is open; a phone sets the speaker up; and the speaker starts again.
func TestHotspot(t *testing.T) {
	image, firmware := os.Getenv("TUTTI_IMAGE"), "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd"
	for _, file := range []string{image, firmware} {
		if _, err := os.Stat(file); err != nil {
			t.Fatalf("%v: make image BOARD=generic-arm64, TUTTI_IMAGE=$PWD/build/image/….img, and install qemu-efi-aarch64 and mtools", err)
		}
	}
	dir := t.TempDir()
	card, disk, guest := filepath.Join(dir, "card"), filepath.Join(dir, "disk"), filepath.Join(dir, "hotspotguest")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", guest, "./hotspotguest")
	build.Env = append(os.Environ(), "GOARCH=arm64", "CGO_ENABLED=0")
	tool(t, build)
	tool(t, exec.Command("cp", "--sparse=always", image, card))
	prepareCard(t, card, dir)
	for _, story := range []struct {
		name   string
		checks int
		args   []string
	}{
		{"cable", 3, []string{"-nic", "user,model=virtio-net-pci,id=cable", "-S"}},
		{"phone", 16, []string{"-nic", "none"}}, // two visits of five, what comes of the first, and four at the end
		{"again", 4, []string{"-nic", "none"}},
	} {
		ok := t.Run(story.name, func(t *testing.T) {
			prepareDisk(t, disk, guest, story.name)
			monitor := filepath.Join(dir, "monitor-"+story.name)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
			defer cancel()
			args := append([]string{"-M", "virt", "-cpu", "cortex-a72", "-accel", "tcg,thread=multi", "-smp", "2", "-m", "1024", "-bios", firmware,
				"-display", "none", "-monitor", "unix:" + monitor + ",server=on,wait=off", "-serial", "stdio", "-no-reboot",
				"-drive", "if=none,id=card,format=raw,file=" + card, "-device", "virtio-blk-pci,drive=card",
				"-drive", "if=none,id=disk,format=raw,file=" + disk, "-device", "virtio-blk-pci,drive=disk"}, story.args...)
			hear(t, exec.CommandContext(ctx, "qemu-system-aarch64", args...), monitor, story.checks)
		})
		if !ok {
			return
		}
	}
}

// prepareCard has the image start the guest.
func prepareCard(t *testing.T, card, dir string) {
	t.Helper()
	const entry, first = "::loader/entries/tutti-a.conf", "@@4M"
	conf := tool(t, exec.Command("mtype", "-i", card+first, entry))
	more := " console=ttyAMA0 systemd.wants=guest.service systemd.set_credential_binary=systemd.extra-unit.guest.service:" + base64.StdEncoding.EncodeToString([]byte(guestUnit))
	text := filepath.Join(dir, "tutti-a.conf")
	if err := os.WriteFile(text, []byte(strings.TrimRight(conf, "\n")+more+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tool(t, exec.Command("mcopy", "-o", "-i", card+first, text, entry))
}

// prepareDisk brings the guest, and tells it its story.
func prepareDisk(t *testing.T, disk, guest, story string) {
	t.Helper()
	text := filepath.Join(filepath.Dir(disk), "story")
	if err := os.WriteFile(text, []byte(story), 0o644); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(disk)
	tool(t, exec.Command("truncate", "-s", "32M", disk))
	tool(t, exec.Command("mkfs.vfat", disk))
	tool(t, exec.Command("mcopy", "-i", disk, guest, text, "::"))
}

// operate gives QEMU's monitor commands.
func operate(t *testing.T, monitor string, commands ...string) {
	t.Helper()
	var c net.Conn
	var err error
	for range 100 {
		if c, err = net.Dial("unix", monitor); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, command := range commands {
		if _, err := io.WriteString(c, command+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	_ = c.SetReadDeadline(time.Now().Add(2 * time.Second))
	_, _ = io.Copy(io.Discard, c)
}

// hear runs the machine and reads its verdicts.
func hear(t *testing.T, machine *exec.Cmd, monitor string, checks int) {
	t.Helper()
	began, passed, done := time.Now(), 0, false
	out, err := machine.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	machine.Stderr = os.Stderr
	if err := machine.Start(); err != nil {
		t.Fatal(err)
	}
	operate(t, monitor, "set_link cable off", "cont")
	lines := bufio.NewScanner(out)
	for !done && lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		if _, after, ok := strings.Cut(line, "\x1b[?7h"); ok { // systemd has reset the console
			line = after
		}
		t.Logf("%5.1f s  %s", time.Since(began).Seconds(), line)
		switch word, _, _ := strings.Cut(line, " "); word {
		case "PASS":
			passed++
		case "FAIL":
			t.Error(line)
		case "ASK":
			operate(t, monitor, "set_link cable on")
		case "DONE":
			done = true
		}
	}
	time.AfterFunc(30*time.Second, func() { _ = machine.Process.Kill() })
	_, _ = io.Copy(io.Discard, out)
	_ = machine.Wait()
	if !done || passed != checks {
		t.Errorf("%d checks passed, want %d; at its end: %v", passed, checks, done)
	}
}

func tool(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	return string(out)
}

//go:build vm

package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"io"
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
ExecStart=/bin/sh -c 'mount -o ro /dev/vdb /mnt && exec /mnt/hotspotguest >/dev/ttyAMA0 2>&1'
`

// TestHotspot boots an image for generic-arm64 (TUTTI_IMAGE) without any network but
// the radios that hotspotguest makes, and lets a phone set it up.
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
	tool(t, exec.Command("truncate", "-s", "32M", disk))
	tool(t, exec.Command("mkfs.vfat", disk))
	tool(t, exec.Command("mcopy", "-i", disk, guest, "::"))
	const entry, first = "::loader/entries/tutti-a.conf", "@@4M"
	conf := tool(t, exec.Command("mtype", "-i", card+first, entry))
	more := " console=ttyAMA0 systemd.wants=guest.service systemd.set_credential_binary=systemd.extra-unit.guest.service:" + base64.StdEncoding.EncodeToString([]byte(guestUnit))
	text := filepath.Join(dir, "tutti-a.conf")
	if err := os.WriteFile(text, []byte(strings.TrimRight(conf, "\n")+more+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tool(t, exec.Command("mcopy", "-o", "-i", card+first, text, entry))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	hear(t, exec.CommandContext(ctx, "qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a72", "-accel", "tcg,thread=multi", "-smp", "2", "-m", "1024", "-bios", firmware,
		"-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot", "-nic", "none",
		"-drive", "if=none,id=card,format=raw,file="+card, "-device", "virtio-blk-pci,drive=card",
		"-drive", "if=none,id=disk,format=raw,file="+disk, "-device", "virtio-blk-pci,drive=disk"))
}

// hear runs the machine and reads its verdicts.
func hear(t *testing.T, machine *exec.Cmd) {
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
	lines := bufio.NewScanner(out)
	for !done && lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		t.Logf("%5.1f s  %s", time.Since(began).Seconds(), line)
		switch word, _, _ := strings.Cut(line, " "); word {
		case "PASS":
			passed++
		case "FAIL":
			t.Error(line)
		case "DONE":
			done = true
		}
	}
	time.AfterFunc(30*time.Second, func() { _ = machine.Process.Kill() })
	_, _ = io.Copy(io.Discard, out)
	_ = machine.Wait()
	const checks = 16 // two visits of five, what comes of the first, and four at the end
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

//go:build vm

package vm

import (
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/internal/measure"
)

// TestALSA boots one machine after the other and plays on the kernel's own drivers.
// VM_ARCH=amd64,arm picks some.
func TestALSA(t *testing.T) {
	for _, arch := range Arches() {
		if pick := os.Getenv("VM_ARCH"); pick != "" && !slices.Contains(strings.Split(pick, ","), arch.Name) {
			continue
		}
		t.Run(arch.Name, func(t *testing.T) {
			dir := t.TempDir()
			began := time.Now()
			m := Machine{
				Arch: arch, Init: build(t, arch, dir, "internal/vm/alsaguest"), Modules: []string{"snd-aloop"}, Limit: 400 * time.Second,
				Files: map[string]string{"/tutti": build(t, arch, dir, "agent/cmd/tutti")},
				Log:   func(line string) { t.Logf("%5.1f s  %s", time.Since(began).Seconds(), line) },
			}
			if arch.Name == "amd64" {
				addCards(&m, dir)
			}
			verdicts, err := m.Run(t.Context())
			if err != nil {
				t.Error(err)
			}
			for _, v := range verdicts {
				if !v.OK {
					t.Errorf("%s: %s", v.Name, v.Detail)
				}
			}
			if arch.Name == "amd64" {
				heard(t, filepath.Join(dir, "board.wav"), 2)
				heard(t, filepath.Join(dir, "usb.wav"), 2)
			}
			t.Logf("%s: %d checks in %v", arch.Name, len(verdicts), time.Since(began).Round(time.Second))
		})
	}
}

// addCards gives the machine a card on its board and one on USB, which play into
// files.
func addCards(m *Machine, dir string) {
	const usb = "usb-audio,id=dac,audiodev=usb,bus=xhci.0"
	m.Later = []string{"snd-hda-codec-generic", "snd-hda-intel", "xhci-pci", "snd-usb-audio"}
	m.Devices = []string{
		"-audiodev", "wav,id=board,out.frequency=48000,path=" + filepath.Join(dir, "board.wav"), "-device", "intel-hda", "-device", "hda-output,audiodev=board",
		"-audiodev", "wav,id=usb,out.frequency=48000,path=" + filepath.Join(dir, "usb.wav"), "-device", "qemu-xhci,id=xhci", "-device", usb,
	}
	m.Answers = map[string]string{"unplug": "device_del dac", "plug": "device_add " + usb}
}

// heard looks whether a recording of a card has the tone in it, in so many
// stretches: QEMU's emulation of sound has breaks of its own, so the best second
// and a half of each counts, and only for its level and its purity.
func heard(t *testing.T, path string, stretches int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil || len(b) < 44 {
		t.Errorf("the host heard nothing: %v", err)
		return
	}
	b = b[44:]
	samples := make([]float32, len(b)/4)
	for i := range samples {
		samples[i] = float32(int16(binary.LittleEndian.Uint16(b[4*i:]))) / (1 << 15)
	}
	const length = 1 << 16
	for part := range stretches {
		best, at, level := 0.0, 0, 0.0
		from, to := part*len(samples)/stretches, (part+1)*len(samples)/stretches
		for i := from; i+length <= to; i += length / 4 {
			sum := 0.0
			for _, x := range samples[i : i+length] {
				sum += float64(x) * float64(x)
			}
			p, err := measure.Purity(samples[i:i+length], 48000, 1000)
			if err == nil && sum > length/100 && p < best {
				best, at, level = p, i, 10*math.Log10(2*sum/length)
			}
		}
		t.Logf("%s: %.1f s, THD+N %.1f dB at %.1f s, level %.2f dB", filepath.Base(path), float64(len(samples))/48000, best, float64(at)/48000, level)
		if best > -40 || math.Abs(level+6.02) > 1 {
			t.Errorf("%s, part %d of %d, has no clean tone", filepath.Base(path), part+1, stretches)
		}
	}
}

// build makes a program for the machine.
func build(t *testing.T, arch Arch, dir, path string) string {
	t.Helper()
	out := filepath.Join(dir, filepath.Base(path))
	cmd := exec.Command("go", "build", "-p", "2", "-trimpath", "-ldflags", "-s -w", "-o", out, "./"+path)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch.Go, "GOARM=7", "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	return out
}

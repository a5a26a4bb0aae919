//go:build vm

package vm

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
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
				Arch: arch, Init: build(t, arch, dir, "internal/vm/alsaguest"), Modules: []string{"snd-aloop"}, Limit: 300 * time.Second,
				Files: map[string]string{"/tutti": build(t, arch, dir, "agent/cmd/tutti")},
				Log:   func(line string) { t.Logf("%5.1f s  %s", time.Since(began).Seconds(), line) },
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
			t.Logf("%s: %d checks in %v", arch.Name, len(verdicts), time.Since(began).Round(time.Second))
		})
	}
}

// build makes a program for the machine.
func build(t *testing.T, arch Arch, dir, path string) string {
	t.Helper()
	out := filepath.Join(dir, filepath.Base(path))
	cmd := exec.Command("go", "build", "-p", "2", "-trimpath", "-ldflags", "-s -w", "-o", out, "./"+path)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch.Name, "GOARM=7", "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	return out
}

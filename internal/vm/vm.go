// Package vm boots small virtual machines with Debian's kernel, for tests that need
// real drivers: a kernel fetched by apt, an initramfs of a few files made here, QEMU
// without acceleration, and the serial console as the test's ear.
//
// The program that runs as /init (see internal/vm/inside) prints its verdicts as
// lines of the form "PASS name: detail" and "FAIL name: detail", and at last "DONE".
// One machine runs at a time; [Machine.Run] waits for it and ends it.
package vm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Arch is a processor architecture, by its name in Go.
type Arch struct {
	Name    string
	Debian  string // by its name in Debian
	kernel  string // meta package
	qemu    string
	machine []string
	console string
}

// Arches returns the architectures there are kernels and machines for.
func Arches() []Arch {
	return []Arch{
		{"amd64", "amd64", "linux-image-amd64", "qemu-system-x86_64", []string{"-M", "q35", "-cpu", "max"}, "ttyS0"},
		{"arm64", "arm64", "linux-image-arm64", "qemu-system-aarch64", []string{"-M", "virt", "-cpu", "cortex-a57"}, "ttyAMA0"},
		{"arm", "armhf", "linux-image-armmp", "qemu-system-arm", []string{"-M", "virt,highmem=off", "-cpu", "cortex-a15"}, "ttyAMA0"},
	}
}

// Machine is one to be booted.
type Machine struct {
	Arch    Arch
	Init    string            // program to run first
	Files   map[string]string // further files: path inside from path outside
	Modules []string          // kernel modules to load, with what they need, in order
	Later   []string          // likewise, but only brought along for Init to load
	Devices []string          // arguments for QEMU
	Limit   time.Duration     // from power on to the end; default 300 s
	Log     func(line string) // hears the console
}

// Verdict is what one check inside came to.
type Verdict struct {
	OK           bool
	Name, Detail string
}

// ErrUnavailable is wrapped when a machine cannot be had here.
var ErrUnavailable = errors.New("no virtual machine here")

// Run boots the machine and returns the verdicts. An error means that it did not
// come to its end.
func (m *Machine) Run(ctx context.Context) ([]Verdict, error) {
	if _, err := exec.LookPath(m.Arch.qemu); err != nil {
		return nil, fmt.Errorf("%w: install %s (internal/vm/prepare.sh does)", ErrUnavailable, m.Arch.qemu)
	}
	kernel, err := fetch(ctx, m.Arch, m.Log)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "tutti-vm")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	image := filepath.Join(dir, "initramfs")
	if err := m.pack(kernel, image); err != nil {
		return nil, err
	}
	limit := m.Limit
	if limit == 0 {
		limit = 300 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return m.boot(ctx, kernel.image, image)
}

// boot runs QEMU and listens.
func (m *Machine) boot(ctx context.Context, kernel, initramfs string) ([]Verdict, error) {
	args := append([]string{}, m.Arch.machine...)
	args = append(args, "-accel", "tcg,thread=multi", "-smp", "2", "-m", "768", "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot", "-nic", "none",
		"-kernel", kernel, "-initrd", initramfs, "-append", "console="+m.Arch.console+" panic=-1 loglevel=4 threadirqs")
	cmd := exec.CommandContext(ctx, m.Arch.qemu, append(args, m.Devices...)...)
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	all, done := m.listen(out)
	if done {
		_ = cmd.Cancel()
	}
	_ = cmd.Wait()
	if !done {
		return all, fmt.Errorf("the machine ended, or was ended after %v, before it was done", m.Limit)
	}
	return all, nil
}

// listen collects verdicts until DONE.
func (m *Machine) listen(console io.Reader) (all []Verdict, done bool) {
	lines := bufio.NewScanner(console)
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		m.Log(line)
		word, rest, _ := strings.Cut(line, " ")
		name, detail, _ := strings.Cut(rest, ": ")
		switch word {
		case "PASS", "FAIL":
			all = append(all, Verdict{word == "PASS", name, detail})
		case "DONE":
			return all, true
		}
	}
	return all, false
}

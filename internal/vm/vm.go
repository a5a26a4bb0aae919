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
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Arch is a processor architecture, and the kernel for it.
type Arch struct {
	Name    string
	Go      string // the architecture of programs, by its name in Go
	Debian  string // that of the kernel, by its name in Debian
	kernel  string // meta package
	qemu    string
	machine []string
	console string
}

// Arches returns the architectures there are kernels and machines for. The last one
// is what many a Raspberry Pi runs: programs of 32 bits on a kernel of 64.
func Arches() []Arch {
	arm64 := Arch{"arm64", "arm64", "arm64", "linux-image-arm64", "qemu-system-aarch64", []string{"-M", "virt", "-cpu", "cortex-a57"}, "ttyAMA0"}
	mixed := arm64
	mixed.Name, mixed.Go = "arm-on-arm64", "arm"
	return []Arch{
		{"amd64", "amd64", "amd64", "linux-image-amd64", "qemu-system-x86_64", []string{"-M", "q35", "-cpu", "max"}, "ttyS0"},
		arm64,
		{"arm", "arm", "armhf", "linux-image-armmp", "qemu-system-arm", []string{"-M", "virt,highmem=off", "-cpu", "cortex-a15"}, "ttyAMA0"},
		mixed,
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
	Answers map[string]string // commands for QEMU's monitor, by what Init asks for with "ASK name"
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
	return m.boot(ctx, kernel.image, image, filepath.Join(dir, "monitor"))
}

// boot runs QEMU and listens.
func (m *Machine) boot(ctx context.Context, kernel, initramfs, monitor string) ([]Verdict, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	args := append([]string{}, m.Arch.machine...)
	args = append(args, "-accel", "tcg,thread=multi", "-smp", "2", "-m", "768", "-display", "none", "-monitor", "unix:"+monitor+",server=on,wait=off", "-serial", "stdio", "-no-reboot", "-nic", "none",
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
	all, done := m.listen(out, monitor)
	if done { // it powers off, unless it cannot
		defer time.AfterFunc(20*time.Second, cancel).Stop()
		_, _ = io.Copy(io.Discard, out)
	}
	_ = cmd.Wait()
	if !done {
		return all, fmt.Errorf("the machine ended, or was ended after %v, before it was done", m.Limit)
	}
	return all, nil
}

// listen collects verdicts until DONE.
func (m *Machine) listen(console io.Reader, monitor string) (all []Verdict, done bool) {
	lines := bufio.NewScanner(console)
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		m.Log(line)
		word, rest, _ := strings.Cut(line, " ")
		name, detail, _ := strings.Cut(rest, ": ")
		switch word {
		case "PASS", "FAIL":
			all = append(all, Verdict{word == "PASS", name, detail})
		case "ASK":
			if err := answer(monitor, m.Answers[rest]); err != nil {
				m.Log("no answer to " + rest + ": " + err.Error())
			}
		case "DONE":
			return all, true
		}
	}
	return all, false
}

// answer gives QEMU's monitor a command.
func answer(monitor, command string) error {
	c, err := net.Dial("unix", monitor)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, command+"\n"); err != nil {
		return err
	}
	b := make([]byte, 4096)
	for said := ""; strings.Count(said, "(qemu)") < 2; {
		n, err := c.Read(b)
		if err != nil {
			return err
		}
		said += string(b[:n])
	}
	return nil
}

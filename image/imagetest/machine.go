package imagetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/tutti-audio/tutti/internal/netlab"
)

const (
	tap      = "tap0"
	firmware = "/usr/share/AAVMF/AAVMF_CODE.fd"
	settings = "/usr/share/AAVMF/AAVMF_VARS.fd"
)

// Machine is an emulated board with a card in it.
type Machine struct {
	Host    *netlab.Host // whose tap0 is the other end of the board's network
	Card    Card
	Dir     string // for its console and what its sound card plays
	Starts  int    // how often it was switched on
	On      time.Time
	process *netlab.Process
	args    func(context.Context, *Machine) ([]string, error)
}

// EFI returns a board with EFI firmware, an Ethernet and a sound card.
func EFI(host *netlab.Host, card Card, dir string) (*Machine, error) {
	vars := filepath.Join(dir, "vars.fd")
	if err := command("cp", settings, vars); err != nil {
		return nil, fmt.Errorf("%w: image/imagetest/prepare.sh installs it", err)
	}
	return &Machine{Host: host, Card: card, Dir: dir, args: func(_ context.Context, m *Machine) ([]string, error) {
		return []string{
			"-M", "virt", "-cpu", "cortex-a57", "-smp", "2", "-m", "1024",
			"-drive", "if=pflash,format=raw,readonly=on,file=" + firmware, "-drive", "if=pflash,format=raw,file=" + vars,
			"-drive", "if=none,id=card,format=raw,file=" + string(m.Card), "-device", "virtio-blk-pci,drive=card,bootindex=0",
			"-netdev", "tap,id=n,ifname=" + tap + ",script=no,downscript=no", "-device", "virtio-net-pci,netdev=n,mac=" + hardwareAddress,
			"-audiodev", "wav,id=a,out.frequency=48000,path=" + m.Sound(), "-device", "intel-hda", "-device", "hda-output,audiodev=a",
			"-serial", "stdio",
		}, nil
	}}, nil
}

// PowerOn starts the machine.
func (m *Machine) PowerOn(ctx context.Context) error {
	if m.process != nil {
		return errors.New("the machine is on already")
	}
	m.Starts++
	args, err := m.args(ctx, m)
	if err != nil {
		return err
	}
	cmd := m.Host.Command(ctx, append([]string{"qemu-system-aarch64", "-display", "none", "-monitor", "none"}, args...)...)
	console, err := os.Create(m.console())
	if err != nil {
		return err
	}
	defer console.Close()
	cmd.Stdout, cmd.Stderr = console, console
	m.On = time.Now()
	if m.process, err = m.Host.Start(cmd); errors.Is(err, exec.ErrNotFound) {
		err = fmt.Errorf("%w: image/imagetest/prepare.sh installs it", err)
	}
	return err
}

// PowerOff cuts the power.
func (m *Machine) PowerOff() {
	if m.process != nil {
		m.process.Kill()
		m.process = nil
	}
}

// Ended waits until the emulator ended by itself.
func (m *Machine) Ended(ctx context.Context) error {
	select {
	case <-m.process.Done():
		m.process = nil
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *Machine) console() string {
	return filepath.Join(m.Dir, fmt.Sprintf("console%d.txt", m.Starts))
}

// Sound is the file with what the sound card has played since the machine was
// switched on.
func (m *Machine) Sound() string { return filepath.Join(m.Dir, fmt.Sprintf("sound%d.wav", m.Starts)) }

// Says waits until the console has said something since the machine was switched on.
func (m *Machine) Says(ctx context.Context, text string) error {
	return Until(ctx, fmt.Sprintf("%q on the console", text), func(context.Context) error {
		select {
		case <-m.process.Done():
			return fmt.Errorf("the emulator ended: %w\n%s", m.process.Wait(), m.Tail())
		default:
		}
		if said, err := os.ReadFile(m.console()); err != nil || strings.Contains(string(said), text) {
			return err
		}
		return errors.New("the last it said was\n" + m.Tail())
	})
}

// Tail is the end of what the console said.
func (m *Machine) Tail() string {
	const most = 3000
	said, _ := os.ReadFile(m.console())
	return string(said[max(0, len(said)-most):])
}

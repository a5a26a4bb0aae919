// Package gpioline is one line of a GPIO chip as a periph gpio.PinIO, over the
// kernel's character device (uAPI v2, linux/gpio.h, since 5.10).
//
// It is our own because of what an amplifier needs: an output is asked for
// together with its first level, so that the line never stands at another for a
// moment; and a line is opened alone, without asking every chip of the board. A
// Line may be used by several goroutines; Close and Halt end a wait for an edge.
package gpioline

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"

	"github.com/tutti-audio/tutti/hw/panel"
)

// Line is a line of a chip. Until In or Out it is left alone.
type Line struct {
	name   string
	chip   string // its path
	offset uint32

	mu   sync.Mutex
	file *os.File // of the request; nil before In and Out
	out  bool
	edge gpio.Edge
	pull gpio.Pull
}

var _ gpio.PinIO = (*Line)(nil)

// Find returns the line of a name: the kernel's name for it, such as GPIO17 on
// Raspberry Pis, or CHIP:NUMBER with the name or label of a chip.
func Find(name string) (*Line, error) {
	if err := panel.CheckPin(name); err != nil {
		return nil, err
	}
	chips, err := filepath.Glob("/dev/gpiochip*")
	if err != nil || len(chips) == 0 {
		return nil, errors.New("this board shows no GPIO: its kernel has none, or /dev/gpiochip* is kept from the service")
	}
	slices.Sort(chips)
	var problems []error
	for _, path := range chips {
		offset, found, err := lookIn(path, name)
		if err != nil {
			problems = append(problems, err)
		}
		if found {
			return &Line{name: name, chip: path, offset: offset}, nil
		}
	}
	return nil, errors.Join(append(problems, fmt.Errorf("no GPIO line is called %s: `gpioinfo` lists them", name))...)
}

// lookIn looks for a line on one chip.
func lookIn(path, name string) (offset uint32, found bool, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, false, fmt.Errorf("%w; the user of the service belongs into the group that owns it", err)
	}
	defer file.Close()
	info, err := chipInfo(int(file.Fd()))
	if err != nil {
		return 0, false, fmt.Errorf("%s: %w", path, err)
	}
	if chip, number, exact := strings.Cut(name, ":"); exact {
		n, _ := strconv.ParseUint(number, 10, 16)
		mine := chip == text(info.name[:]) || chip == text(info.label[:])
		return uint32(n), mine && uint32(n) < info.lines, nil
	}
	for n := range info.lines {
		line, err := lineInfo(int(file.Fd()), n)
		if err != nil {
			return 0, false, fmt.Errorf("%s line %d: %w", path, n, err)
		}
		if text(line.name[:]) == name {
			return n, true, nil
		}
	}
	return 0, false, nil
}

// request asks the kernel for the line anew. Callers hold mu.
func (l *Line) request(flags uint64, level gpio.Level) error {
	l.release()
	chip, err := os.Open(l.chip)
	if err != nil {
		return fmt.Errorf("%s: %w", l.name, err)
	}
	defer chip.Close()
	fd, err := requestLine(int(chip.Fd()), l.offset, flags, level)
	if errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("%s belongs to a driver or another program: `gpioinfo` shows which; choose another line, or free it in the overlay's parameters", l.name)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", l.name, err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return fmt.Errorf("%s: %w", l.name, err)
	}
	l.file = os.NewFile(uintptr(fd), l.name)
	return nil
}

func (l *Line) release() {
	if l.file != nil {
		_ = l.file.Close()
		l.file = nil
	}
}

// Close gives the line back. It keeps its level on most boards, but need not.
func (l *Line) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.release()
	return nil
}

// In implements gpio.PinIn.
func (l *Line) In(pull gpio.Pull, edge gpio.Edge) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out, l.edge, l.pull = false, edge, pull
	return l.request(inputFlags(pull, edge), gpio.Low)
}

// Out implements gpio.PinOut. The first call sets direction and level in one.
func (l *Line) Out(level gpio.Level) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil || !l.out {
		l.out, l.edge = true, gpio.NoEdge
		return l.request(flagOutput, level)
	}
	return l.control(func(fd int) error { return setLevel(fd, level) })
}

// Read implements gpio.PinIn. A line that cannot be read is low.
func (l *Line) Read() gpio.Level {
	l.mu.Lock()
	defer l.mu.Unlock()
	var level gpio.Level
	if l.file != nil {
		_ = l.control(func(fd int) (err error) {
			level, err = getLevel(fd)
			return err
		})
	}
	return level
}

// control runs an ioctl without making the file block. Callers hold mu.
func (l *Line) control(do func(fd int) error) error {
	raw, err := l.file.SyscallConn()
	if err != nil {
		return err
	}
	if e := raw.Control(func(fd uintptr) { err = do(int(fd)) }); e != nil {
		return e
	}
	return err
}

// WaitForEdge implements gpio.PinIn; a negative timeout is for ever.
func (l *Line) WaitForEdge(timeout time.Duration) bool {
	l.mu.Lock()
	file, edge := l.file, l.edge
	l.mu.Unlock()
	if file == nil || edge == gpio.NoEdge {
		return false
	}
	until := time.Time{}
	if timeout >= 0 {
		until = time.Now().Add(timeout)
	}
	if file.SetReadDeadline(until) != nil {
		return false
	}
	var event [eventSize]byte
	n, err := file.Read(event[:])
	return err == nil && n == len(event)
}

// Halt implements conn.Resource: a wait for an edge ends.
func (l *Line) Halt() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	return l.file.SetReadDeadline(time.Unix(1, 0))
}

// String implements conn.Resource.
func (l *Line) String() string { return l.name }

// Name implements pin.Pin.
func (l *Line) Name() string { return l.name }

// Number implements pin.Pin: the line's number on its chip.
func (l *Line) Number() int { return int(l.offset) }

// Function implements pin.Pin.
func (l *Line) Function() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.file == nil:
		return ""
	case l.out:
		return "Out"
	}
	return "In"
}

// Pull implements gpio.PinIn.
func (l *Line) Pull() gpio.Pull {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pull
}

// DefaultPull implements gpio.PinIn; the kernel does not tell it.
func (l *Line) DefaultPull() gpio.Pull { return gpio.PullNoChange }

// PWM implements gpio.PinOut; lines of this interface have none.
func (l *Line) PWM(gpio.Duty, physic.Frequency) error {
	return fmt.Errorf("%s cannot do PWM", l.name)
}

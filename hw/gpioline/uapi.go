package gpioline

import (
	"bytes"
	"unsafe"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/gpio"
)

// The structures of linux/gpio.h. Each field lies at a multiple of its size, so
// they are the same on every architecture; the constants below hold that.
type (
	gpiochipInfo struct {
		name, label [32]byte
		lines       uint32
	}
	lineAttribute struct {
		id, _ uint32
		value uint64
	}
	lineInfoV2 struct {
		name   [32]byte
		_      [32]byte // consumer
		offset uint32
		_      uint32
		_      uint64 // flags
		_      [10]lineAttribute
		_      [4]uint32
	}
	configAttribute struct {
		attr lineAttribute
		mask uint64
	}
	lineConfig struct {
		flags uint64
		attrs uint32
		_     [5]uint32
		attr  [10]configAttribute
	}
	lineRequest struct {
		offsets  [64]uint32
		consumer [32]byte
		config   lineConfig
		lines    uint32
		_        [6]uint32
		fd       int32
	}
	lineValues struct{ bits, mask uint64 }
)

const eventSize = 48 // of struct gpio_v2_line_event

// A size that differs does not compile.
var (
	_ [68]byte  = [unsafe.Sizeof(gpiochipInfo{})]byte{}
	_ [256]byte = [unsafe.Sizeof(lineInfoV2{})]byte{}
	_ [592]byte = [unsafe.Sizeof(lineRequest{})]byte{}
	_ [16]byte  = [unsafe.Sizeof(lineValues{})]byte{}
)

const (
	flagInput     = 1 << 2
	flagOutput    = 1 << 3
	flagRising    = 1 << 4
	flagFalling   = 1 << 5
	flagPullUp    = 1 << 8
	flagPullDown  = 1 << 9
	flagFloat     = 1 << 10
	attrOutValues = 2
)

// Requests are _IOC(direction, 0xB4, number, size).
const (
	iocRead, iocWrite = 2 << 30, 1 << 30

	getChipInfo = iocRead | 68<<16 | 0xB401
	getLineInfo = iocRead | iocWrite | 256<<16 | 0xB405
	getLine     = iocRead | iocWrite | 592<<16 | 0xB407
	getValues   = iocRead | iocWrite | 16<<16 | 0xB40E
	setValues   = iocRead | iocWrite | 16<<16 | 0xB40F
)

func ioctl[T any](fd int, request uint32, v *T) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(unsafe.Pointer(v))); errno != 0 {
		return errno
	}
	return nil
}

func chipInfo(fd int) (v gpiochipInfo, err error) {
	err = ioctl(fd, getChipInfo, &v)
	return v, err
}

func lineInfo(fd int, offset uint32) (v lineInfoV2, err error) {
	v.offset = offset
	err = ioctl(fd, getLineInfo, &v)
	return v, err
}

// requestLine asks for a line and, if it is an output, for its first level at once.
func requestLine(chip int, offset uint32, flags uint64, level gpio.Level) (fd int, err error) {
	v := lineRequest{lines: 1}
	v.offsets[0] = offset
	copy(v.consumer[:], "tutti")
	v.config.flags = flags
	if flags&flagOutput != 0 {
		v.config.attrs = 1
		v.config.attr[0].attr.id = attrOutValues
		v.config.attr[0].attr.value = bits(level)
		v.config.attr[0].mask = 1
	}
	err = ioctl(chip, getLine, &v)
	return int(v.fd), err
}

func setLevel(fd int, level gpio.Level) error {
	return ioctl(fd, setValues, &lineValues{bits: bits(level), mask: 1})
}

func getLevel(fd int) (gpio.Level, error) {
	v := lineValues{mask: 1}
	err := ioctl(fd, getValues, &v)
	return v.bits&1 != 0, err
}

func bits(level gpio.Level) uint64 {
	if level {
		return 1
	}
	return 0
}

func inputFlags(pull gpio.Pull, edge gpio.Edge) uint64 {
	flags := uint64(flagInput)
	switch pull {
	case gpio.PullUp:
		flags |= flagPullUp
	case gpio.PullDown:
		flags |= flagPullDown
	case gpio.Float:
		flags |= flagFloat
	}
	if edge == gpio.RisingEdge || edge == gpio.BothEdges {
		flags |= flagRising
	}
	if edge == gpio.FallingEdge || edge == gpio.BothEdges {
		flags |= flagFalling
	}
	return flags
}

func text(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(b)
}

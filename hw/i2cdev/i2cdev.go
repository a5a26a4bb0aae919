// Package i2cdev is an I2C bus of the kernel (/dev/i2c-N, linux/i2c-dev.h) as a
// periph i2c.BusCloser.
//
// It writes and reads the file rather than passing messages with pointers in them:
// a garbage-collected stack may move while the kernel holds such a pointer. So a
// stop stands between a write and a read, which register-mapped chips allow. An
// address that a driver of the kernel has is refused, never taken over. A Bus may
// be used by several goroutines.
package i2cdev

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
)

// Bus is an open bus.
type Bus struct {
	number int
	mu     sync.Mutex
	file   *os.File
}

var _ i2c.BusCloser = (*Bus)(nil)

const setAddress = 0x0703 // I2C_SLAVE

// Open opens the bus of a number.
func Open(number int) (*Bus, error) {
	file, err := os.OpenFile(fmt.Sprintf("/dev/i2c-%d", number), os.O_RDWR|unix.O_CLOEXEC, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no I2C bus %d: load i2c-dev, and on a Raspberry Pi put dtparam=i2c_arm=on into config.txt", number)
	}
	if err != nil {
		return nil, fmt.Errorf("%w; the user of the service belongs into the group that owns it", err)
	}
	return &Bus{number: number, file: file}, nil
}

// Tx implements i2c.Bus.
func (b *Bus) Tx(address uint16, w, r []byte) error {
	if address > 0x7F {
		return fmt.Errorf("I2C address %#x: use 7 bits", address)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	err := unix.IoctlSetInt(int(b.file.Fd()), setAddress, int(address))
	if errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("a driver of the kernel has I2C address %#x: set the chip up with alsamixer, and leave [hardware] amplifier_chip empty", address)
	}
	if err != nil {
		return err
	}
	if len(w) > 0 {
		if _, err := b.file.Write(w); err != nil {
			return err
		}
	}
	if len(r) > 0 {
		n, err := b.file.Read(r)
		if err == nil && n < len(r) {
			err = fmt.Errorf("%d of %d bytes came", n, len(r))
		}
		return err
	}
	return nil
}

// SetSpeed implements i2c.Bus; the device tree sets it.
func (b *Bus) SetSpeed(physic.Frequency) error {
	return errors.New("the speed of an I2C bus is set in the device tree")
}

// String implements conn.Resource.
func (b *Bus) String() string { return fmt.Sprintf("I2C%d", b.number) }

// Close closes the bus.
func (b *Bus) Close() error { return b.file.Close() }

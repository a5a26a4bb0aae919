// Package alsa plays and records through the kernel's sound interface, without
// alsa-lib and without cgo: PCM devices, and mixer controls in dB.
//
// A running card is a clock, so playback runs free. The card is started on an empty
// ring and never stops for lack of data: the kernel fills what was played with
// silence, its frame count goes on evenly, and [PCM.Write] says which frame each
// sample is. What comes too late is dropped; what comes in time is in its place,
// whatever happened before. [PCM.Status] gives the position, the kernel's own time
// stamp of it and the delay behind it, all read by one ioctl.
//
// Samples go straight into the card's memory where the driver lets it be mapped,
// and by the write ioctl where not; positions always come by ioctl, because the
// pages that hold them cannot be mapped on every board. Devices are opened at
// /dev/snd alone: neither /proc/asound nor sysfs nor udev is needed, so a container
// that is given /dev/snd will do.
//
// No library is used. Those for Go without cgo lack what playing in time needs: the
// status with its time-stamp types, a position that cannot tear from its stamp,
// writing by frame number, the free-running mode, and the layouts of 32-bit arm.
// The interface is frozen, small, and described in <sound/asound.h>; package
// alsa/internal/uapi holds the part of it that is used, checked against C.
//
// Units: frames are of the card, from 0 when it was prepared; stamps are ns of
// CLOCK_MONOTONIC; samples are interleaved float32, full scale ±1. A PCM or a Mixer
// belongs to one goroutine. In steady state nothing is allocated.
package alsa

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Kernel is what this package asks of the kernel; [Linux] is the real one.
// Errors are of type unix.Errno.
type Kernel interface {
	// Names lists /dev/snd.
	Names() ([]string, error)
	// Open opens /dev/snd/name for reading and writing, without blocking.
	Open(name string) (fd int, err error)
	Close(fd int) error
	// Ioctl passes arg, which points to the structure the number is for, or is nil.
	Ioctl(fd int, number uintptr, arg unsafe.Pointer) error
	// Map shares the first length bytes of the device's memory.
	Map(fd, length int) ([]byte, error)
	Unmap(b []byte) error
	// Poll waits until the device is ready to be read (or has failed), at most for
	// a while.
	Poll(fd int, most time.Duration) error
}

// What an error of a PCM wraps when the stream has ended.
var (
	// ErrGone is a card that was unplugged, or never there.
	ErrGone = errors.New("not connected")
	// ErrStopped is a stream that the driver stopped: Recover starts it again.
	ErrStopped = errors.New("stopped")
)

// explain says what an error of the kernel means for the device called name.
func explain(name string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%s is %w: connect it, or see what is there with `tutti doctor`", name, ErrGone)
	case errors.Is(err, unix.EPIPE), errors.Is(err, unix.ESTRPIPE):
		return fmt.Errorf("%s has %w: %w", name, ErrStopped, err)
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EAGAIN):
		return fmt.Errorf("%s is used by another program: `fuser -v /dev/snd/*` shows which", name)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("%s may not be opened: add this user to the group audio, or give the container /dev/snd", name)
	}
	return fmt.Errorf("%s: %w", name, err)
}

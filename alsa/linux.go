package alsa

import (
	"os"
	"path/filepath"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// directory is where the kernel's sound devices are.
const directory = "/dev/snd"

// Linux is the running kernel.
type Linux struct{}

// Names implements Kernel.
func (Linux) Names() ([]string, error) {
	entries, err := os.ReadDir(directory)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}

// Open implements Kernel.
func (Linux) Open(name string) (int, error) {
	for {
		fd, err := unix.Open(filepath.Join(directory, name), unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// Close implements Kernel.
func (Linux) Close(fd int) error { return unix.Close(fd) }

// Ioctl implements Kernel.
func (Linux) Ioctl(fd int, number uintptr, arg unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), number, uintptr(arg))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}

// Map implements Kernel.
func (Linux) Map(fd, length int) ([]byte, error) {
	return unix.Mmap(fd, 0, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

// Unmap implements Kernel.
func (Linux) Unmap(b []byte) error { return unix.Munmap(b) }

// Poll implements Kernel.
func (Linux) Poll(fd int, most time.Duration) error {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	_, err := unix.Poll(fds[:], int(most.Milliseconds()))
	if err == unix.EINTR {
		return nil
	}
	return err
}

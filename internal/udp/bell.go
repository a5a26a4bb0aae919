package udp

import (
	"errors"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// bell parks a goroutine in the runtime's poller until a socket has something to read.
// The poller would be woken by each datagram that comes, also while nobody waits, if the
// socket were registered there. So it is an epoll instance of its own that is, with the
// socket armed in it for one event while somebody waits. It belongs to one goroutine,
// but for stop.
type bell struct {
	epoll  int
	socket int
	file   *os.File // the epoll instance
	raw    syscall.RawConn
	rung   func(fd uintptr) (done bool)
}

func newBell(socket int) (*bell, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	b := &bell{epoll: epoll, socket: socket}
	err = errors.Join(
		unix.SetNonblock(epoll, true), // then the file is the poller's
		unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, socket, &unix.EpollEvent{Events: unix.EPOLLONESHOT}))
	b.file = os.NewFile(uintptr(epoll), "bell")
	if b.raw, _ = b.file.SyscallConn(); err != nil {
		return nil, errors.Join(err, b.file.Close())
	}
	b.rung = func(fd uintptr) bool {
		var event [1]unix.EpollEvent
		n, _, _ := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, fd, uintptr(unsafe.Pointer(&event[0])), 1, 0, 0, 0)
		return int(n) == 1
	}
	return b, nil
}

// wait returns when there is something to read: os.ErrDeadlineExceeded after stop.
func (b *bell) wait() error {
	armed := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT}
	if _, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(b.epoll), unix.EPOLL_CTL_MOD, uintptr(b.socket), uintptr(unsafe.Pointer(&armed)), 0, 0); errno != 0 {
		return errno
	}
	return b.raw.Read(b.rung)
}

// stop ends all waits.
func (b *bell) stop() { _ = b.file.SetReadDeadline(time.Unix(1, 0)) }

func (b *bell) close() error { return b.file.Close() }

package netlab

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// space is one network namespace. A goroutine locked to a thread of its own
// keeps it and starts processes in it (the kernel ties a process's death signal
// to the thread that started it); close ends that goroutine.
type space struct {
	ns    *os.File
	nl    *netlink.Handle
	calls chan func()
	done  chan struct{}
}

// errClosed is returned by what is used after its lab was closed.
var errClosed = errors.New("netlab: the laboratory is closed; make a new one")

// newSpace makes a namespace whose loopback is up.
func newSpace() (*space, error) {
	s := &space{calls: make(chan func()), done: make(chan struct{})}
	made := make(chan error, 1)
	go s.keep(made)
	if err := <-made; err != nil {
		return nil, err
	}
	lo, err := s.nl.LinkByName("lo")
	if err == nil {
		err = s.nl.LinkSetUp(lo)
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("netlab: bring loopback up: %w", err)
	}
	return s, nil
}

// keep owns the namespace's thread, which ends with it: it is never unlocked.
func (s *space) keep(made chan<- error) {
	runtime.LockOSThread()
	defer close(s.done)
	if err := s.unshare(); err != nil {
		made <- err
		return
	}
	made <- nil
	for call := range s.calls {
		call()
	}
}

// unshare moves the calling thread into a new namespace and opens it.
func (s *space) unshare() (err error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("netlab: make a network namespace: %w; call netlab.Reexec first", err)
	}
	if s.ns, err = os.Open("/proc/thread-self/ns/net"); err != nil {
		return fmt.Errorf("netlab: open the network namespace: %w", err)
	}
	s.nl, err = netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		s.ns.Close()
		return fmt.Errorf("netlab: open netlink: %w", err)
	}
	return nil
}

// call runs f on the thread that keeps the namespace. f must return soon.
func (s *space) call(f func()) {
	ended := make(chan struct{})
	s.calls <- func() { defer close(ended); f() }
	<-ended
}

// do runs f on a fresh thread inside the namespace; f may block.
func (s *space) do(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends here
		if err := unix.Setns(int(s.ns.Fd()), unix.CLONE_NEWNET); err != nil {
			result <- fmt.Errorf("netlab: enter a host's namespace: %w", err)
			return
		}
		result <- f()
	}()
	return <-result
}

// handle returns the namespace as the netlink package knows it.
func (s *space) handle() netns.NsHandle { return netns.NsHandle(s.ns.Fd()) }

// close lets go of the namespace and waits for its thread. The kernel removes
// it, and every interface in it, with the last process inside.
func (s *space) close() {
	close(s.calls)
	<-s.done
	s.nl.Close()
	s.ns.Close()
}

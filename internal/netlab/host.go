package netlab

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Host is one machine of the laboratory: a network namespace, with the file
// system, users and clocks of the laboratory's process.
type Host struct {
	Name  string
	lab   *Lab
	space *space
	links []*Link // guarded by lab.mu

	mu      sync.Mutex
	closed  bool
	running map[*Process]struct{}
}

// Do runs f on a thread inside the host and returns its error. Sockets that f
// opens stay in the host wherever they are used later; goroutines that f starts
// are not in the host. f may block.
func (h *Host) Do(f func() error) error {
	h.mu.Lock()
	closed := h.closed
	h.mu.Unlock()
	if closed {
		return errClosed
	}
	return h.space.do(f)
}

// Command describes a process for Start or Run, which alone put it inside the
// host. The context kills it. Set Stdout, Stderr, Env and Dir as usual; a
// Transcript takes both outputs.
func (h *Host) Command(ctx context.Context, argv ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL, Setpgid: true}
	cmd.WaitDelay = 2 * time.Second // a grandchild may keep the output open
	return cmd
}

// Start starts a process inside the host.
func (h *Host) Start(cmd *exec.Cmd) (*Process, error) {
	if cmd.SysProcAttr == nil || cmd.SysProcAttr.Pdeathsig == 0 {
		return nil, fmt.Errorf("netlab: %s was not made by Host.Command", cmd.Path)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, errClosed
	}
	var err error
	h.space.call(func() { err = cmd.Start() })
	if err != nil {
		return nil, fmt.Errorf("netlab: start on host %s: %w", h.Name, err)
	}
	p := &Process{host: h, cmd: cmd, done: make(chan struct{})}
	h.running[p] = struct{}{}
	go p.wait()
	return p, nil
}

// Run starts a process inside the host and waits for its end.
func (h *Host) Run(cmd *exec.Cmd) error {
	p, err := h.Start(cmd)
	if err != nil {
		return err
	}
	return p.Wait()
}

// close kills the host's processes, ends its links and its thread.
func (h *Host) close() error {
	h.mu.Lock()
	h.closed = true
	left := make([]*Process, 0, len(h.running))
	for p := range h.running {
		left = append(left, p)
	}
	h.mu.Unlock()
	for _, p := range left {
		p.Kill()
	}
	var errs []error
	for _, l := range h.links {
		errs = append(errs, l.close())
	}
	h.space.close()
	return errors.Join(errs...)
}

package netlab

import (
	"bytes"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a running process of a host. One goroutine waits for it.
type Process struct {
	host *Host
	cmd  *exec.Cmd
	done chan struct{}
	err  error // valid when done is closed
}

func (p *Process) wait() {
	p.err = p.cmd.Wait()
	// Whatever it started and left behind is in its process group.
	_ = unix.Kill(-p.cmd.Process.Pid, unix.SIGKILL)
	p.host.mu.Lock()
	delete(p.host.running, p)
	p.host.mu.Unlock()
	close(p.done)
}

// Pid returns the process's number.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Wait waits for the end of the process and returns what exec.Cmd.Wait does.
func (p *Process) Wait() error {
	<-p.done
	return p.err
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Signal sends a signal to the process alone, SIGSTOP and SIGCONT included.
func (p *Process) Signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// Stop asks the process to end, kills it when it has not after the grace, and
// returns its Wait error.
func (p *Process) Stop(grace time.Duration) error {
	_ = p.Signal(unix.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.Kill()
	}
	return p.Wait()
}

// Kill ends the process and its process group, and waits for it.
func (p *Process) Kill() {
	select {
	case <-p.done:
	default:
		_ = unix.Kill(-p.cmd.Process.Pid, unix.SIGKILL)
		_ = p.cmd.Process.Kill()
	}
	<-p.done
}

// Transcript collects a process's output. Its zero value is ready; it may be
// read while the process writes.
type Transcript struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write appends to the transcript and never fails.
func (t *Transcript) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.Write(b)
}

// String returns what has been written so far.
func (t *Transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}

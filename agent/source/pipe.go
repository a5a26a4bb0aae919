package source

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	pipeTarget = 40 * time.Millisecond // fill of a pipe whose writer has a clock
	pipeRetry  = 20 * time.Millisecond // between looks for the next writer
	pipeBlock  = 4096                  // bytes per read: less than pressure needs
)

// pipe feeds a live source from stdin or a FIFO.
type pipe struct {
	live *live
	path string // of the FIFO; empty for stdin
	file *os.File
	fmt  rawFormat
	mix  *mixer
	log  *slog.Logger
	quit chan struct{}
	done chan struct{}
}

// openPipe opens raw PCM from "-" or a FIFO.
func openPipe(in string, opt Options) (Source, error) {
	what := "FIFO " + in
	p := &pipe{path: in, log: opt.Log, quit: make(chan struct{}), done: make(chan struct{})}
	if in == "-" {
		what, p.path = "stdin", ""
	}
	if opt.Format == "" {
		return nil, fmt.Errorf("%s carries raw PCM: name its --format, e.g. s16le:48000:2", what)
	}
	var err error
	if p.fmt, err = parseFormat(opt.Format); err != nil {
		return nil, err
	}
	wait := true
	if p.path == "" {
		p.file, wait, err = openStdin()
	} else {
		p.file, err = openFIFO(in)
	}
	if err != nil {
		return nil, err
	}
	channels := opt.Channels
	if channels == 0 {
		channels = p.fmt.channels
	}
	p.mix = newMixer(p.fmt.channels, channels)
	p.live = newLive(what, p.fmt.rate, channels, pipeTarget)
	p.live.finite = p.path == ""
	p.live.stop = func() error { return p.close(wait) }
	go p.run()
	return p.live, nil
}

// openStdin returns stdin, and whether closing it ends a read. A pipe is opened
// anew, so that it can be waited for without changing it for other processes.
func openStdin() (file *os.File, ends bool, err error) {
	info, err := os.Stdin.Stat()
	if err != nil {
		return nil, false, fmt.Errorf("stdin: %w", err)
	}
	switch mode := info.Mode(); {
	case mode&os.ModeNamedPipe != 0:
		if file, err := openFIFO(fmt.Sprintf("/proc/self/fd/%d", os.Stdin.Fd())); err == nil {
			return file, true, nil
		}
	case mode&os.ModeCharDevice != 0 && isTerminal(os.Stdin):
		return nil, false, errors.New("stdin is a terminal: pipe audio into it, or name a file")
	case mode.IsRegular():
		return os.Stdin, true, nil
	}
	return os.Stdin, false, nil
}

// openFIFO opens a pipe for reading without waiting for a writer.
func openFIFO(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open FIFO: %w", err)
	}
	return file, nil
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// run reads until the end of stdin, or until Close.
func (p *pipe) run() {
	defer close(p.done)
	defer p.live.connected(false)
	raw := make([]byte, 0, pipeBlock+p.fmt.frameBytes())
	var pcm, mixed []float32
	for {
		n, err := p.file.Read(raw[len(raw) : len(raw)+pipeBlock])
		raw = raw[:len(raw)+n]
		if n > 0 {
			p.live.connected(true)
		}
		whole := len(raw) / p.fmt.frameBytes() * p.fmt.frameBytes()
		pcm = p.fmt.enc.append(pcm[:0], raw[:whole])
		mixed = p.mix.append(mixed[:0], pcm)
		raw = raw[:copy(raw[:cap(raw)], raw[whole:])]
		if !p.live.feed(mixed, p.pressure) {
			return
		}
		if err == nil {
			continue
		}
		if p.path == "" || !p.next(err) {
			if !eof(err) && !errors.Is(err, os.ErrClosed) {
				p.log.Error("input ended", "input", p.live.name, "error", err)
			}
			return
		}
		raw = raw[:0] // a new writer begins with a whole frame
	}
}

// next waits for another writer of the FIFO, which may have been replaced by a
// new one of the same name. It returns false after Close.
func (p *pipe) next(err error) bool {
	p.live.connected(false)
	wait := pipeRetry
	if !eof(err) {
		if errors.Is(err, os.ErrClosed) {
			return false
		}
		p.log.Warn("read FIFO", "path", p.path, "error", err)
		wait = time.Second
	}
	select {
	case <-p.quit:
		return false
	case <-time.After(wait):
	}
	now, err := os.Stat(p.path)
	if err != nil || now.Mode()&os.ModeNamedPipe == 0 {
		return true
	}
	if old, err := p.file.Stat(); err == nil && os.SameFile(old, now) {
		return true
	}
	return p.reopen()
}

// reopen changes to the FIFO that now has the name.
func (p *pipe) reopen() bool {
	file, err := openFIFO(p.path)
	if err != nil {
		return true // it is gone again
	}
	p.live.mu.Lock()
	defer p.live.mu.Unlock()
	if p.live.closed {
		_ = file.Close()
		return false
	}
	old := p.file
	p.file = file
	_ = old.Close()
	return true
}

// pressure tells whether the writer waits for us: then the pipe is full, or
// what remains is all there is, from a file or a writer that has gone.
func (p *pipe) pressure() bool {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return true
	}
	pressed := true
	err = conn.Control(func(fd uintptr) {
		size, err := unix.FcntlInt(fd, unix.F_GETPIPE_SZ, 0)
		if err != nil {
			return // not a pipe
		}
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, 0); err != nil || poll[0].Revents&unix.POLLHUP != 0 {
			return
		}
		if unread, err := unix.IoctlGetInt(int(fd), unix.TIOCINQ); err == nil {
			pressed = unread >= size/2
		}
	})
	return pressed || err != nil
}

// close ends the feeder; it is called once the source is marked closed.
func (p *pipe) close(wait bool) error {
	close(p.quit)
	if p.file == os.Stdin {
		if wait {
			<-p.done
		}
		return nil
	}
	p.live.mu.Lock()
	err := p.file.Close()
	p.live.mu.Unlock()
	<-p.done
	if errors.Is(err, io.ErrClosedPipe) || errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

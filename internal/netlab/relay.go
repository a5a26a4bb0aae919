package netlab

import (
	"container/heap"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// maxHeld is the most frames one direction of a relay holds.
const maxHeld = 8192

// maxFrame is the largest frame a TAP device hands over without offloads.
const maxFrame = 1 << 16

// relay carries the frames of an impaired link between two TAP devices.
type relay struct {
	taps  [2]*os.File // the host's, the switch's
	pipes [2]*pipe    // by Direction
	wg    sync.WaitGroup
}

// newRelay makes both devices and starts two goroutines for each direction.
func newRelay(inner *space, innerName string, outer *space, outerName string, seed uint64) (*relay, error) {
	r := &relay{}
	var err error
	if r.taps[0], err = openTap(inner, innerName); err != nil {
		return nil, err
	}
	if r.taps[1], err = openTap(outer, outerName); err != nil {
		r.taps[0].Close()
		return nil, err
	}
	start := time.Now()
	for d := range r.pipes {
		r.pipes[d] = &pipe{shaper: newShaper(seed, Direction(d)), start: start, wake: make(chan struct{}, 1)}
	}
	r.run(r.pipes[ToHost], r.taps[1], r.taps[0])
	r.run(r.pipes[ToSwitch], r.taps[0], r.taps[1])
	return r, nil
}

func (r *relay) run(p *pipe, from, to *os.File) {
	done := make(chan struct{})
	r.wg.Go(func() { defer close(done); p.read(from) })
	r.wg.Go(func() { p.write(to, done) })
}

// close ends the relay and waits for its goroutines.
func (r *relay) close() error {
	err := errors.Join(r.taps[0].Close(), r.taps[1].Close())
	r.wg.Wait()
	return err
}

// carrier sets whether there is a cable: at once for frames, and within a second
// in what the host's device reports.
func (r *relay) carrier(on bool) error {
	for _, p := range r.pipes {
		p.mu.Lock()
		p.cut = !on
		p.mu.Unlock()
	}
	raw, err := r.taps[0].SyscallConn()
	if err != nil {
		return err
	}
	value := 0
	if on {
		value = 1
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = unix.IoctlSetPointerInt(int(fd), unix.TUNSETCARRIER, value) })
	return errors.Join(err, failed)
}

// openTap makes a TAP device inside a namespace. It lives as long as the file.
func openTap(s *space, name string) (*os.File, error) {
	var file *os.File
	err := s.do(func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open /dev/net/tun: %w; load the tun module", err)
		}
		request, err := unix.NewIfreq(name)
		if err == nil {
			request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
			err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
		}
		if err != nil {
			unix.Close(fd)
			return fmt.Errorf("make TAP device %s: %w", name, err)
		}
		file = os.NewFile(uintptr(fd), name)
		return nil
	})
	if err != nil {
		return nil, err
	}
	link, err := s.nl.LinkByName(name)
	if err == nil {
		err = s.nl.LinkSetTxQLen(link, 1000)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// pipe is one direction: a reader that shapes, a writer that waits.
type pipe struct {
	start time.Time
	wake  chan struct{}

	mu     sync.Mutex
	shaper *shaper
	cut    bool // unplugged: frames are lost and not counted
	held   dueHeap
	sent   uint64
	spare  [][]byte // frames to use again
}

func (p *pipe) set(c Conditions) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shaper.set(time.Since(p.start), c)
}

func (p *pipe) counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.shaper.n
	n.Out = p.sent
	return n
}

// read takes frames from a device until it is closed.
func (p *pipe) read(from *os.File) {
	buf := make([]byte, maxFrame)
	var out []due
	for {
		n, err := from.Read(buf)
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err != nil || n == 0 {
			time.Sleep(time.Millisecond) // the interface is down
			continue
		}
		out = p.hold(buf[:n], out[:0])
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

// hold shapes a frame and keeps its copies until they are due. It returns out
// for its memory.
func (p *pipe) hold(frame []byte, out []due) []due {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut {
		return out
	}
	out = p.shaper.admit(time.Since(p.start), append(p.frame(), frame...), out)
	for _, d := range out {
		if len(p.held) >= maxHeld {
			p.shaper.n.Overflow++
			continue
		}
		heap.Push(&p.held, d)
	}
	return out
}

// frame returns an empty frame, used before when there is one.
func (p *pipe) frame() []byte {
	if n := len(p.spare); n > 0 {
		f := p.spare[n-1]
		p.spare = p.spare[:n-1]
		return f[:0]
	}
	return make([]byte, 0, 2048)
}

// write sends each frame when it is due, until done.
func (p *pipe) write(to *os.File, done <-chan struct{}) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		frame, wait := p.next()
		if frame != nil {
			_, err := to.Write(frame) // fails while the interface is down, as a cable does
			p.sentOne(frame, err)
			continue
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-p.wake:
		case <-done:
			return
		}
	}
}

// next returns a frame that is due, or how long there is none.
func (p *pipe) next() ([]byte, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.held) == 0 {
		return nil, time.Hour
	}
	if wait := p.held[0].at - time.Since(p.start); wait > 0 {
		return nil, wait
	}
	return heap.Pop(&p.held).(due).frame, 0
}

func (p *pipe) sentOne(frame []byte, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.sent++
	}
	if len(p.spare) < 64 {
		p.spare = append(p.spare, frame)
	}
}

// dueHeap orders frames by departure, then by arrival.
type dueHeap []due

func (h dueHeap) Len() int { return len(h) }
func (h dueHeap) Less(i, j int) bool {
	if h[i].at != h[j].at {
		return h[i].at < h[j].at
	}
	return h[i].order < h[j].order
}
func (h dueHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push and Pop are container/heap's.
func (h *dueHeap) Push(x any) { *h = append(*h, x.(due)) }

// Pop removes the last element.
func (h *dueHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = due{}
	*h = old[:len(old)-1]
	return last
}

package alsa

import (
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/alsa/internal/uapi"
)

// mostChannels is the most channels of a card that are carried along.
const mostChannels = 32

// protocol tells the kernel which revision of its interface we know: 2.0.15.
const protocol = 2<<16 | 15

// Config is what is wanted of a device, and what it granted.
type Config struct {
	Format     Format        // 0: the best there is
	Rate       int           // 0: 48000, or what comes nearest in use
	Channels   int           // wanted; when the card cannot, the next it can
	PeriodTime time.Duration // wanted between the card's interrupts
	BufferTime time.Duration // wanted
	Copied     bool          // wanted: no mapping, only the read and write ioctls

	Period int  // granted, frames
	Buffer int  // granted, frames
	Batch  bool // granted: the position moves by whole periods
	Mapped bool // granted: the card's memory is mapped
}

// PCM is an opened stream of a device.
type PCM struct {
	kernel  Kernel
	fd      int
	name    string
	capture bool
	mapped  bool
	config  Config

	memory   []byte // the card's, or for transfers
	boundary uint   // where the kernel's pointers wrap
	hw       int64  // frames, as last read
	appl     int64
	noise    dither

	status uapi.Status
	sync   uapi.SyncPtr
	xfer   uapi.Xferi
}

// OpenPlayback opens a device for playing stereo and sets it going on silence.
func OpenPlayback(k Kernel, a Address, want Config) (*PCM, error) { return open(k, a, want, false) }

// OpenCapture opens a device for recording and sets it going.
func OpenCapture(k Kernel, a Address, want Config) (*PCM, error) { return open(k, a, want, true) }

func open(k Kernel, a Address, want Config, capture bool) (*PCM, error) {
	p := &PCM{kernel: k, name: a.String(), capture: capture, noise: 0x9e3779b9}
	var err error
	if p.fd, err = a.open(k, capture); err != nil {
		return nil, explain(p.name, err)
	}
	if err = p.setUp(want); err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

// setUp configures and starts.
func (p *PCM) setUp(want Config) (err error) {
	if err = p.negotiate(want); err != nil {
		return err
	}
	if err = p.software(); err != nil {
		return explain(p.name, err)
	}
	length := p.config.Buffer * p.frame()
	if !p.mapped {
		p.memory = make([]byte, length)
		return p.Recover()
	}
	page := unix.Getpagesize()
	if p.memory, err = p.kernel.Map(p.fd, (length+page-1)/page*page); err != nil {
		return explain(p.name, err)
	}
	return p.Recover()
}

// software makes the stream run free, stamps its position by CLOCK_MONOTONIC, and
// wakes a reader for each period.
func (p *PCM) software() error {
	s := uapi.SwParams{
		TstampMode: uapi.TstampEnable, TstampType: uapi.TstampTypeMonotonic, Proto: protocol, PeriodStep: 1,
		AvailMin: uint(p.config.Period), XferAlign: 1, StartThreshold: 1, StopThreshold: uint(p.config.Buffer),
	}
	if err := p.kernel.Ioctl(p.fd, uapi.PCMSwParams, unsafe.Pointer(&s)); err != nil || p.capture {
		p.boundary = s.Boundary
		return err
	}
	p.boundary = s.Boundary // which only an answer tells
	s.StartThreshold, s.StopThreshold, s.SilenceThreshold, s.SilenceSize = s.Boundary, s.Boundary, 0, s.Boundary
	return p.kernel.Ioctl(p.fd, uapi.PCMSwParams, unsafe.Pointer(&s))
}

// Recover starts the stream, also one that has stopped or was suspended. Frames
// count from 0 again.
func (p *PCM) Recover() error {
	for range 50 { // a card that wakes up says EAGAIN
		if p.kernel.Ioctl(p.fd, uapi.PCMResume, nil) != unix.EAGAIN { //nolint:errorlint // an Errno, always
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err := p.kernel.Ioctl(p.fd, uapi.PCMPrepare, nil); err != nil {
		if err == unix.EBADFD || err == unix.EBUSY { //nolint:errorlint // an Errno, always
			_ = p.kernel.Ioctl(p.fd, uapi.PCMDrop, nil)
			err = p.kernel.Ioctl(p.fd, uapi.PCMPrepare, nil)
		}
		if err != nil {
			return explain(p.name, err)
		}
	}
	p.hw, p.appl = 0, 0
	if p.mapped && !p.capture {
		clear(p.memory)
	}
	return explain(p.name, p.kernel.Ioctl(p.fd, uapi.PCMStart, nil))
}

// Config returns what was granted.
func (p *PCM) Config() Config { return p.config }

// frame is the size of a frame of the card in bytes.
func (p *PCM) frame() int { return p.config.Format.Bytes() * p.config.Channels }

// Status is a moment of a stream.
type Status struct {
	Frames int64 // played from memory, or recorded to it
	At     int64 // when that was read, ns of CLOCK_MONOTONIC
	Delay  int   // frames on their way between memory and the jack

	Audio     int64 // the card's own clock, ns, where it has one
	AudioType int   // 0 and 1: derived from Frames; 2: since the start; 3: absolute; 4: estimated; 5: synchronised
	Accuracy  int   // of Audio, ns; 0: unknown
}

// Status reads position, time stamp and delay at once. audioType is the kind of
// clock wanted in Audio.
func (p *PCM) Status(audioType int) (Status, error) {
	p.status = uapi.Status{AudioTstampData: uint32(audioType) & 0xf}
	if err := p.kernel.Ioctl(p.fd, uapi.PCMStatusExt, unsafe.Pointer(&p.status)); err != nil {
		return Status{}, explain(p.name, err)
	}
	s := &p.status
	if err := p.running(s.State); err != nil {
		return Status{}, err
	}
	p.follow(s.HwPtr)
	delay := s.Delay - int(s.Avail)
	if !p.capture {
		delay = s.Delay + int(s.Avail) - p.config.Buffer
	}
	status := Status{Frames: p.hw, At: s.Tstamp.Nano(), Delay: delay, Audio: s.AudioTstamp.Nano()}
	if s.AudioTstampData&audioValid != 0 {
		status.AudioType = int(s.AudioTstampData >> audioTypeShift & 0xf)
		if s.AudioTstampData&audioAccuracy != 0 {
			status.Accuracy = int(s.AudioAccuracy)
		}
	}
	return status, nil
}

// The layout of Status.AudioTstampData: what was wanted is in the low half, what
// was given in the high one.
const (
	audioValid     = 1 << 16
	audioTypeShift = 17
	audioAccuracy  = 1 << 21
)

// follow takes in a position that wraps at the boundary.
func (p *PCM) follow(pointer uint) {
	wrapped := uint(uint64(p.hw) % uint64(p.boundary))
	ahead := int64(pointer) - int64(wrapped)
	if ahead < 0 {
		ahead += int64(p.boundary)
	}
	p.hw += ahead
}

// running says why a stream in a state does not run.
func (p *PCM) running(state int32) error {
	switch state {
	case uapi.StateRunning:
		return nil
	case uapi.StateDisconnected, uapi.StateOpen:
		return explain(p.name, unix.ENODEV)
	case uapi.StateSuspended:
		return explain(p.name, unix.ESTRPIPE)
	case uapi.StateXrun:
		return explain(p.name, unix.EPIPE)
	}
	return fmt.Errorf("%s has %w, in state %d", p.name, ErrStopped, state)
}

// Close stops the stream and gives the device back.
func (p *PCM) Close() error {
	_ = p.kernel.Ioctl(p.fd, uapi.PCMDrop, nil)
	if p.mapped && p.memory != nil {
		_ = p.kernel.Unmap(p.memory)
	}
	p.memory = nil
	return p.kernel.Close(p.fd)
}

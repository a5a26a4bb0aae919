package alsa

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/alsa/internal/uapi"
)

// Write stores stereo frames to be played, the first as number at. Those before the
// card's present position are late: dropped, and counted as taken. It returns how
// many it took; fewer than given when the ring is full. It does not block.
func (p *PCM) Write(at int64, pcm []float32) (frames int, err error) {
	if err := p.synchronise(uapi.SyncHwsync | uapi.SyncAppl | uapi.SyncAvailMin); err != nil {
		return 0, err
	}
	given := len(pcm) / 2
	late := int(min(max(p.hw-at, 0), int64(given)))
	at += int64(late)
	n := int(max(min(p.hw+int64(p.config.Buffer)-at, int64(given-late)), 0))
	if n == 0 {
		return late, nil
	}
	pcm = pcm[late*2 : (late+n)*2]
	if p.mapped {
		p.store(at, pcm)
		p.appl = at + int64(n)
		return late + n, p.synchronise(uapi.SyncAvailMin)
	}
	if p.appl != at {
		p.appl = at
		if err := p.synchronise(uapi.SyncAvailMin); err != nil {
			return late, err
		}
	}
	p.config.spread(p.memory, pcm, &p.noise)
	p.xfer = uapi.Xferi{Buf: unsafe.Pointer(&p.memory[0]), Frames: uint(n)}
	err = p.kernel.Ioctl(p.fd, uapi.PCMWritei, unsafe.Pointer(&p.xfer))
	if err == unix.EAGAIN { //nolint:errorlint // an Errno, always
		return late, nil
	}
	p.appl += int64(max(p.xfer.Result, 0))
	return late + max(p.xfer.Result, 0), explain(p.name, err)
}

// store puts frames in their place in the card's memory.
func (p *PCM) store(at int64, pcm []float32) {
	size := p.frame()
	for len(pcm) > 0 {
		place := int(at % int64(p.config.Buffer))
		n := min(p.config.Buffer-place, len(pcm)/2)
		p.config.spread(p.memory[place*size:(place+n)*size], pcm[:n*2], &p.noise)
		at, pcm = at+int64(n), pcm[n*2:]
	}
}

// synchronise exchanges pointers with the kernel: it reads the card's, and ours
// is told unless flags say not to.
func (p *PCM) synchronise(flags uint32) error {
	p.sync = uapi.SyncPtr{Flags: flags, ApplPtr: uint(uint64(p.appl) % uint64(p.boundary))}
	if err := p.kernel.Ioctl(p.fd, uapi.PCMSyncPtr, unsafe.Pointer(&p.sync)); err != nil {
		return explain(p.name, err)
	}
	if err := p.running(p.sync.Status.State); err != nil {
		return err
	}
	p.follow(p.sync.Status.HwPtr)
	return nil
}

// Wait blocks until a period was recorded, or the stream failed, at most for a
// while.
func (p *PCM) Wait(most time.Duration) error {
	return explain(p.name, p.kernel.Poll(p.fd, most))
}

// Read takes what was recorded, whole frames of Config().Channels; 0 when there is
// nothing. It does not block.
func (p *PCM) Read(dst []float32) (frames int, err error) {
	want := min(len(dst)/p.config.Channels, p.config.Buffer)
	if p.mapped {
		return p.load(dst, want)
	}
	p.xfer = uapi.Xferi{Buf: unsafe.Pointer(&p.memory[0]), Frames: uint(want)}
	err = p.kernel.Ioctl(p.fd, uapi.PCMReadi, unsafe.Pointer(&p.xfer))
	if err == unix.EAGAIN { //nolint:errorlint // an Errno, always
		return 0, nil
	}
	if err != nil {
		return 0, explain(p.name, err)
	}
	frames = max(p.xfer.Result, 0)
	p.config.floats(dst[:frames*p.config.Channels], p.memory)
	p.appl += int64(frames)
	return frames, nil
}

// load reads from the card's memory.
func (p *PCM) load(dst []float32, want int) (frames int, err error) {
	if err := p.synchronise(uapi.SyncHwsync | uapi.SyncAppl | uapi.SyncAvailMin); err != nil {
		return 0, err
	}
	want = int(min(int64(want), p.hw-p.appl))
	size, c := p.frame(), p.config.Channels
	for frames < want {
		place := int(p.appl % int64(p.config.Buffer))
		n := min(p.config.Buffer-place, want-frames)
		p.config.floats(dst[frames*c:(frames+n)*c], p.memory[place*size:])
		p.appl += int64(n)
		frames += n
	}
	if frames == 0 {
		return 0, nil
	}
	return frames, p.synchronise(uapi.SyncAvailMin)
}

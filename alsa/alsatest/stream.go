package alsatest

import (
	"math"
	"math/bits"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/alsa/internal/uapi"
)

// stream is an open PCM device.
type stream struct {
	card    *Card
	capture bool
	state   int32
	memory  []byte
	rate    float64
	size    int64 // of a frame, bytes
	buffer  int64
	period  int64
	soft    uapi.SwParams
	start   int64 // ns
	hw      int64
	appl    int64
}

func (s *stream) boundary() int64 { return s.buffer * int64(s.card.Wrap) }

// ioctl answers those of a PCM device.
func (s *stream) ioctl(number uintptr, arg unsafe.Pointer, now int64) unix.Errno {
	if s.state == uapi.StateDisconnected {
		return unix.ENODEV
	}
	s.advance(now)
	switch number {
	case uapi.PCMHwRefine:
		return s.refine((*uapi.HwParams)(arg))
	case uapi.PCMHwParams:
		return s.settle((*uapi.HwParams)(arg))
	case uapi.PCMSwParams:
		p := (*uapi.SwParams)(arg)
		p.Boundary = uint(s.boundary())
		s.soft = *p
	case uapi.PCMResume:
		return unix.ENOSYS
	case uapi.PCMPrepare:
		if s.state == uapi.StateRunning {
			return unix.EBUSY
		}
		s.state, s.hw, s.appl = uapi.StatePrepared, 0, 0
	case uapi.PCMStart:
		return s.begin(now)
	case uapi.PCMDrop:
		s.state = uapi.StateSetup
	case uapi.PCMStatusExt:
		s.report((*uapi.Status)(arg), now)
	case uapi.PCMSyncPtr:
		return s.synchronise((*uapi.SyncPtr)(arg))
	case uapi.PCMWritei, uapi.PCMReadi:
		return s.transfer((*uapi.Xferi)(arg))
	default:
		return unix.ENOTTY
	}
	return 0
}

func (s *stream) begin(now int64) unix.Errno {
	if s.state != uapi.StatePrepared {
		return unix.EBADFD
	}
	if !s.capture && s.appl == 0 && s.soft.StopThreshold < s.soft.Boundary {
		return unix.EPIPE
	}
	s.state, s.start = uapi.StateRunning, now
	return 0
}

// failed is what the state makes of a transfer.
func (s *stream) failed() unix.Errno {
	switch s.state {
	case uapi.StateRunning, uapi.StatePrepared:
		return 0
	case uapi.StateXrun:
		return unix.EPIPE
	case uapi.StateSuspended:
		return unix.ESTRPIPE
	}
	return unix.EBADFD
}

// advance lets the converter work until now; what was played turns to silence.
func (s *stream) advance(now int64) {
	if s.state != uapi.StateRunning {
		return
	}
	g := s.card.Granularity
	due := int64(math.Floor(float64(now-s.start)*1e-9*s.rate*(1+s.card.PPM*1e-6))) / g * g
	for ; s.hw < due; s.hw++ {
		at := s.hw % s.buffer * s.size
		b := s.memory[at : at+s.size]
		switch {
		case !s.capture:
			if s.card.Heard != nil {
				s.card.Heard(s.hw, b)
			}
			clear(b)
		case s.card.Sound != nil:
			s.card.Sound(s.hw, b)
		}
	}
	if s.capture && s.hw-s.appl >= int64(s.soft.StopThreshold) {
		s.state = uapi.StateXrun
	}
}

func (s *stream) report(r *uapi.Status, now int64) {
	kind := r.AudioTstampData & 0xf
	avail := s.hw + s.buffer - s.appl
	delay := s.appl - s.hw
	if s.capture {
		avail, delay = s.hw-s.appl, s.hw-s.appl
	}
	*r = uapi.Status{
		State: s.state, HwPtr: uint(s.hw % s.boundary()), ApplPtr: uint(s.appl % s.boundary()),
		Avail: uint(avail), Delay: int(delay) + s.card.Delay,
	}
	if s.soft.TstampMode == uapi.TstampEnable && s.soft.TstampType == uapi.TstampTypeMonotonic {
		r.Tstamp = uapi.Timespec{Sec: now / 1e9, Nsec: now % 1e9}
		audio := int64(float64(s.hw) / s.rate * 1e9)
		r.AudioTstamp = uapi.Timespec{Sec: audio / 1e9, Nsec: audio % 1e9}
		r.AudioTstampData = kind | 1<<16 | 1<<17
	}
}

func (s *stream) synchronise(p *uapi.SyncPtr) unix.Errno {
	if p.Flags&uapi.SyncHwsync != 0 {
		if err := s.failed(); err != 0 {
			return err
		}
	}
	if p.Flags&uapi.SyncAppl == 0 {
		ahead := (int64(p.ApplPtr) - s.appl%s.boundary() + s.boundary()) % s.boundary()
		if ahead > s.boundary()/2 {
			ahead -= s.boundary()
		}
		s.appl += ahead
	}
	p.ApplPtr = uint(s.appl % s.boundary())
	p.Status.State, p.Status.HwPtr = s.state, uint(s.hw%s.boundary())
	return 0
}

// transfer copies between the program's memory and the card's.
func (s *stream) transfer(x *uapi.Xferi) unix.Errno {
	if err := s.failed(); err != 0 {
		return err
	}
	room := s.hw + s.buffer - s.appl
	if s.capture {
		room = s.hw - s.appl
	}
	n := min(int64(x.Frames), room)
	if n <= 0 {
		return unix.EAGAIN
	}
	theirs := unsafe.Slice((*byte)(x.Buf), int64(x.Frames)*s.size)
	for i := range n {
		at := (s.appl + i) % s.buffer * s.size
		if s.capture {
			copy(theirs[i*s.size:(i+1)*s.size], s.memory[at:])
		} else {
			copy(s.memory[at:at+s.size], theirs[i*s.size:])
		}
	}
	s.appl += n
	x.Result = int(n)
	return 0
}

// limit narrows an interval.
func limit(p *uapi.HwParams, param int, least, most uint32) bool {
	i := &p.Intervals[param-uapi.FirstInterval]
	i.Min, i.Max = max(i.Min, least), min(i.Max, most)
	return i.Min <= i.Max
}

// refine narrows down to what the card can do.
func (s *stream) refine(p *uapi.HwParams) unix.Errno {
	c := s.card
	access := uint32(1<<uapi.AccessRWInterleaved | 1<<uapi.AccessMmapInterleaved)
	if c.NoMap {
		access = 1 << uapi.AccessRWInterleaved
	}
	var formats uapi.Mask
	for _, f := range c.Formats {
		formats[f/32] |= 1 << (f % 32)
	}
	p.Masks[uapi.ParamAccess][0] &= access
	some := false
	for i := range formats {
		p.Masks[uapi.ParamFormat][i] &= formats[i]
		some = some || p.Masks[uapi.ParamFormat][i] != 0
	}
	rates := &p.Intervals[uapi.ParamRate-uapi.FirstInterval]
	least, most := uint32(math.MaxUint32), uint32(0)
	for _, r := range c.Rates {
		if r >= rates.Min && r <= rates.Max {
			least, most = min(least, r), max(most, r)
		}
	}
	if p.Masks[uapi.ParamAccess][0] == 0 || !some || !limit(p, uapi.ParamRate, least, most) ||
		!limit(p, uapi.ParamChannels, c.Channels[0], c.Channels[1]) || !limit(p, uapi.ParamPeriodSize, c.Period[0], c.Period[1]) ||
		!limit(p, uapi.ParamBufferSize, c.Buffer[0], c.Buffer[1]) {
		return unix.EINVAL
	}
	if c.Granularity > 1 {
		p.Info = uapi.InfoBatch
	}
	return 0
}

// settle chooses as the kernel does: the shortest period, the longest buffer.
func (s *stream) settle(p *uapi.HwParams) unix.Errno {
	if err := s.refine(p); err != 0 {
		return err
	}
	at := func(param int) *uapi.Interval { return &p.Intervals[param-uapi.FirstInterval] }
	at(uapi.ParamPeriodSize).Max = at(uapi.ParamPeriodSize).Min
	at(uapi.ParamBufferSize).Min = at(uapi.ParamBufferSize).Max
	s.rate, s.period, s.buffer = float64(at(uapi.ParamRate).Min), int64(at(uapi.ParamPeriodSize).Min), int64(at(uapi.ParamBufferSize).Max)
	bytes := int64(4)
	switch {
	case p.Masks[uapi.ParamFormat][1] != 0:
		bytes = 3
	case bits.TrailingZeros32(p.Masks[uapi.ParamFormat][0]) == uapi.FormatS16:
		bytes = 2
	}
	s.size = bytes * int64(at(uapi.ParamChannels).Min)
	s.memory, s.state = make([]byte, s.buffer*s.size), uapi.StateSetup
	return 0
}

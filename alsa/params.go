package alsa

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/tutti-audio/tutti/alsa/internal/uapi"
)

// negotiation narrows down what a device can do to what is wanted.
type negotiation struct {
	kernel Kernel
	fd     int
	params uapi.HwParams
}

// anything is every configuration there could be.
func anything() (p uapi.HwParams) {
	for i := range p.Masks {
		for j := range p.Masks[i] {
			p.Masks[i][j] = math.MaxUint32
		}
	}
	for i := range p.Intervals {
		p.Intervals[i].Max = math.MaxUint32
	}
	p.Flags = uapi.NoResample
	return p
}

// try narrows down if the device can do it, and reports whether.
func (n *negotiation) try(change func(*uapi.HwParams)) bool {
	p := n.params
	change(&p)
	p.Rmask = math.MaxUint32
	if n.kernel.Ioctl(n.fd, uapi.PCMHwRefine, unsafe.Pointer(&p)) != nil {
		return false
	}
	n.params = p
	return true
}

func mask(param int, bit uint32) func(*uapi.HwParams) {
	return func(p *uapi.HwParams) {
		p.Masks[param] = uapi.Mask{}
		p.Masks[param][bit/32] = 1 << (bit % 32)
	}
}

func within(param int, least, most uint32) func(*uapi.HwParams) {
	return func(p *uapi.HwParams) {
		i := &p.Intervals[param-uapi.FirstInterval]
		if least > i.Min {
			i.Min, i.Flags = least, i.Flags&^uapi.IntervalOpenMin
		}
		if most < i.Max {
			i.Max, i.Flags = most, i.Flags&^uapi.IntervalOpenMax
		}
	}
}

func (n *negotiation) interval(param int) uapi.Interval {
	return n.params.Intervals[param-uapi.FirstInterval]
}

// negotiate settles on a configuration near the wanted one.
func (p *PCM) negotiate(want Config) error {
	n := &negotiation{kernel: p.kernel, fd: p.fd, params: anything()}
	if !n.try(func(*uapi.HwParams) {}) {
		return fmt.Errorf("%s tells nothing of what it can do: choose another device", p.name)
	}
	p.mapped = !want.Copied && n.try(mask(uapi.ParamAccess, uapi.AccessMmapInterleaved))
	if !p.mapped && !n.try(mask(uapi.ParamAccess, uapi.AccessRWInterleaved)) {
		return fmt.Errorf("%s cannot interleave channels, which Tutti needs: choose another device", p.name)
	}
	if err := n.sound(p, want); err != nil {
		return err
	}
	n.sizes(uint32(p.config.Rate), want)
	n.params.Rmask = math.MaxUint32
	if err := p.kernel.Ioctl(p.fd, uapi.PCMHwParams, unsafe.Pointer(&n.params)); err != nil {
		return explain(p.name, err)
	}
	p.config.Period = int(n.interval(uapi.ParamPeriodSize).Min)
	p.config.Buffer = int(n.interval(uapi.ParamBufferSize).Min)
	p.config.Batch = n.params.Info&uapi.InfoBatch != 0
	p.config.Mapped, p.config.Copied = p.mapped, !p.mapped
	return nil
}

// sound settles format, rate and channels.
func (n *negotiation) sound(p *PCM, want Config) error {
	found := false
	for _, f := range []Format{S32, S24, S24In3, S16} {
		if found = (want.Format == 0 || want.Format == f) && n.try(mask(uapi.ParamFormat, f.number())); found {
			p.config.Format = f
			break
		}
	}
	if !found {
		return fmt.Errorf("%s takes none of S32, S24, S24_3LE and S16: choose another device", p.name)
	}
	found = false
	for _, r := range []uint32{uint32(want.Rate), 48000, 44100, 96000, 88200, 192000, 32000} {
		if found = r != 0 && n.try(within(uapi.ParamRate, r, r)); found {
			p.config.Rate = int(r)
			break
		}
	}
	if !found {
		i := n.interval(uapi.ParamRate)
		return fmt.Errorf("%s runs at %d to %d Hz, and at none of 48000, 44100, 96000, 88200, 192000 and 32000: choose another device", p.name, i.Min, i.Max)
	}
	i := n.interval(uapi.ParamChannels)
	channels := min(max(uint32(want.Channels), i.Min), i.Max)
	for ; channels <= i.Max && !n.try(within(uapi.ParamChannels, channels, channels)); channels++ {
	}
	if channels > min(i.Max, mostChannels) {
		return fmt.Errorf("%s has %d to %d channels, none of which Tutti can use: choose another device", p.name, i.Min, i.Max)
	}
	p.config.Channels = int(channels)
	return nil
}

// sizes asks for a period and a buffer near those wanted; whatever the device
// makes of it will do. Of what is left open the kernel takes the shortest period
// and the longest buffer.
func (n *negotiation) sizes(rate uint32, want Config) {
	frames := func(seconds float64) uint32 { return uint32(seconds * float64(rate)) }
	period, buffer := frames(want.PeriodTime.Seconds()), frames(want.BufferTime.Seconds())
	_ = n.try(within(uapi.ParamPeriodSize, period, 2*period)) ||
		n.try(within(uapi.ParamPeriodSize, period, math.MaxUint32)) ||
		n.try(within(uapi.ParamPeriodSize, 0, period))
	_ = n.try(within(uapi.ParamBufferSize, buffer/2, buffer)) ||
		n.try(within(uapi.ParamBufferSize, 0, buffer)) ||
		n.try(within(uapi.ParamBufferSize, 0, 4*buffer))
}

package alsatest

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/alsa/internal/uapi"
)

// Card is a card. What is 0 has a sensible value. Set it before Plug.
type Card struct {
	Number           int
	ID, Driver, Name string
	Rates            []uint32 // default 44100 and 48000
	Formats          []uint32 // kernel numbers: 2 S16, 6 S24, 32 S24_3LE, 10 S32; default S16 and S32
	Channels         [2]uint32
	Period, Buffer   [2]uint32 // limits, frames
	PPM              float64   // of the crystal
	Granularity      int64     // frames by which the position moves
	Delay            int       // frames behind the position
	NoMap            bool      // only the write and read ioctls
	Wrap             uint      // the boundary in buffers; default 1<<12
	Elements         []*Element

	Heard func(frame int64, b []byte) // what the DAC took, in the card's format
	Sound func(frame int64, b []byte) // what the ADC gives, likewise
}

// Element is a control of a card.
type Element struct {
	Name        string
	Switch      bool
	Least, Most int
	TLV         []uint32 // tells the dB; nil: does not
	Values      []int    // by channel
	Locked      bool     // cannot be set
}

func (c *Card) defaults() {
	if c.Rates == nil {
		c.Rates = []uint32{44100, 48000}
	}
	if c.Formats == nil {
		c.Formats = []uint32{uapi.FormatS16, uapi.FormatS32}
	}
	if c.Channels[1] == 0 {
		c.Channels = [2]uint32{2, 2}
	}
	if c.Period[1] == 0 {
		c.Period = [2]uint32{32, 8192}
	}
	if c.Buffer[1] == 0 {
		c.Buffer = [2]uint32{64, 32768}
	}
	c.Granularity = max(c.Granularity, 1)
	if c.Wrap == 0 {
		c.Wrap = 1 << 12
	}
}

// control answers the ioctls of the control device.
func (c *Card) control(number uintptr, arg unsafe.Pointer) unix.Errno {
	switch number {
	case uapi.CtlCardInfo:
		i := (*uapi.CardInfo)(arg)
		i.Card = int32(c.Number)
		copy(i.ID[:], c.ID)
		copy(i.Driver[:], c.Driver)
		copy(i.Name[:], c.Name)
	case uapi.CtlPCMNextDevice:
		n := (*int32)(arg)
		if *n++; *n > 0 {
			*n = -1
		}
	case uapi.CtlPCMInfo:
		copy((*uapi.PCMInfo)(arg).Name[:], c.Name+" PCM")
	case uapi.CtlPreferSubdevice:
	case uapi.CtlElemList:
		l := (*uapi.ElemList)(arg)
		l.Count = uint32(len(c.Elements))
		l.Used = min(l.Space, l.Count)
		for i, id := range unsafe.Slice((*uapi.ElemID)(l.Pids), l.Used) {
			id.Numid, id.Iface = uint32(i+1), uapi.IfaceMixer
			unsafe.Slice((*uapi.ElemID)(l.Pids), l.Used)[i] = id
		}
	default:
		return c.element(number, arg)
	}
	return 0
}

// element answers the ioctls that begin with an element's number.
func (c *Card) element(number uintptr, arg unsafe.Pointer) unix.Errno {
	n := int(*(*uint32)(arg)) - 1
	if n < 0 || n >= len(c.Elements) {
		return unix.ENOENT
	}
	e := c.Elements[n]
	switch number {
	case uapi.CtlElemInfo:
		e.describe((*uapi.ElemInfo)(arg))
	case uapi.CtlElemRead:
		v := (*uapi.ElemValue)(arg)
		copy(v.Value[:], e.Values)
	case uapi.CtlElemWrite:
		if e.Locked {
			return unix.EPERM
		}
		v := (*uapi.ElemValue)(arg)
		copy(e.Values, v.Value[:])
	case uapi.CtlTLVRead:
		t := (*uapi.TLV)(arg)
		if e.TLV == nil || int(t.Length) < 4*len(e.TLV) {
			return unix.ENXIO
		}
		copy(t.Data[:], e.TLV)
	default:
		return unix.ENOTTY
	}
	return 0
}

func (e *Element) describe(i *uapi.ElemInfo) {
	copy(i.ID.Name[:], e.Name)
	i.Type, i.Count, i.Access = uapi.ElemInteger, uint32(len(e.Values)), uapi.AccessRead|uapi.AccessWrite
	if e.Switch {
		i.Type = uapi.ElemBoolean
	}
	if e.Locked {
		i.Access = uapi.AccessRead
	}
	if e.TLV != nil {
		i.Access |= uapi.AccessTLVRead
	}
	i.SetLimits(e.Least, e.Most)
}

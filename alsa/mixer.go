package alsa

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"github.com/tutti-audio/tutti/alsa/internal/uapi"
)

// mostElements is the most controls of a card that are looked at.
const mostElements = 4096

// Mixer is the controls of a card.
type Mixer struct {
	kernel Kernel
	fd     int
	name   string
}

// Control is a volume or a switch.
type Control struct {
	Name   string // "Master Playback Volume"
	Index  int    // of several of that name
	Switch bool

	number      uint32
	count       int // channels
	least, most int
	scale       scale // nil when the card does not tell its dB
}

// OpenMixer opens the controls of a card.
func OpenMixer(k Kernel, card int) (*Mixer, error) {
	m := &Mixer{kernel: k, name: fmt.Sprintf("controlC%d", card)}
	var err error
	if m.fd, err = k.Open(m.name); err != nil {
		return nil, explain(m.name, err)
	}
	return m, nil
}

// Close gives the card's controls back.
func (m *Mixer) Close() error { return m.kernel.Close(m.fd) }

func (m *Mixer) ioctl(number uintptr, arg unsafe.Pointer) error {
	return explain(m.name, m.kernel.Ioctl(m.fd, number, arg))
}

// Controls lists the card's volumes and switches.
func (m *Mixer) Controls() ([]Control, error) {
	var list uapi.ElemList
	if err := m.ioctl(uapi.CtlElemList, unsafe.Pointer(&list)); err != nil || list.Count == 0 {
		return nil, err
	}
	ids := make([]uapi.ElemID, min(list.Count, mostElements))
	list = uapi.ElemList{Space: uint32(len(ids)), Pids: unsafe.Pointer(&ids[0])}
	if err := m.ioctl(uapi.CtlElemList, unsafe.Pointer(&list)); err != nil {
		return nil, err
	}
	var all []Control
	for _, id := range ids[:min(int(list.Used), len(ids))] {
		if c, ok := m.control(id); ok {
			all = append(all, c)
		}
	}
	return all, nil
}

// control describes an element, if it is a volume or a switch that can be set.
func (m *Mixer) control(id uapi.ElemID) (c Control, ok bool) {
	info := uapi.ElemInfo{ID: id}
	if id.Iface != uapi.IfaceMixer || m.ioctl(uapi.CtlElemInfo, unsafe.Pointer(&info)) != nil {
		return c, false
	}
	const usable = uapi.AccessRead | uapi.AccessWrite
	if info.Access&usable != usable || info.Access&uapi.AccessInactive != 0 || info.Count == 0 || info.Count > 128 {
		return c, false
	}
	c = Control{Name: uapi.Text(info.ID.Name), Index: int(info.ID.Index), number: info.ID.Numid, count: int(info.Count)}
	switch info.Type {
	case uapi.ElemBoolean:
		c.Switch, c.most = true, 1
	case uapi.ElemInteger:
		c.least, c.most = info.Limits()
		if info.Access&uapi.AccessTLVRead != 0 {
			c.scale = m.scaleOf(info.ID.Numid, c.least, c.most)
		}
	default:
		return c, false
	}
	return c, true
}

// scaleOf reads how an element's values are dB.
func (m *Mixer) scaleOf(number uint32, least, most int) scale {
	t := uapi.TLV{Numid: number}
	t.Length = uint32(unsafe.Sizeof(t.Data))
	if m.ioctl(uapi.CtlTLVRead, unsafe.Pointer(&t)) != nil {
		return nil
	}
	return parseScale(t.Data[:], least, most)
}

// HasDecibels reports whether the card tells what its values are in dB.
func (c *Control) HasDecibels() bool { return c.scale != nil }

// Range returns the least and the greatest dB; the least may be -Inf.
func (c *Control) Range() (least, most float64) {
	if c.scale == nil {
		return 0, 0
	}
	return c.scale(c.least), c.scale(c.most)
}

var errNoDecibels = errors.New("the card does not tell the dB of this control: use Tutti's own volume instead")

// Decibels returns the volume of the first channel.
func (m *Mixer) Decibels(c *Control) (float64, error) {
	if c.scale == nil {
		return 0, errNoDecibels
	}
	v, err := m.get(c)
	return c.scale(v), err
}

// SetDecibels sets all channels to the value next below, or to the nearest end.
func (m *Mixer) SetDecibels(c *Control, decibels float64) error {
	if c.scale == nil {
		return errNoDecibels
	}
	least, most := c.least, c.most // greatest value that is not louder; values rise with dB
	for least < most {
		middle := most - (most-least)/2
		if c.scale(middle) <= decibels+0.005 {
			least = middle
		} else {
			most = middle - 1
		}
	}
	return m.set(c, least)
}

// On reports a switch's state, of the first channel.
func (m *Mixer) On(c *Control) (bool, error) {
	v, err := m.get(c)
	return v != 0, err
}

// SetOn sets a switch, of all channels.
func (m *Mixer) SetOn(c *Control, on bool) error {
	if on {
		return m.set(c, c.most)
	}
	return m.set(c, c.least)
}

func (m *Mixer) get(c *Control) (int, error) {
	v := uapi.ElemValue{ID: uapi.ElemID{Numid: c.number}}
	err := m.ioctl(uapi.CtlElemRead, unsafe.Pointer(&v))
	return v.Value[0], err
}

func (m *Mixer) set(c *Control, to int) error {
	v := uapi.ElemValue{ID: uapi.ElemID{Numid: c.number}}
	for i := range c.count {
		v.Value[i] = to
	}
	return m.ioctl(uapi.CtlElemWrite, unsafe.Pointer(&v))
}

// outputs are the names, before " Playback", of controls on the way from the
// card's memory to its jack. Others (Mic, Line, CD, Beep) would let something else
// be heard, and are left alone.
func outputs() []string {
	return []string{
		"Master", "PCM", "Digital", "Analogue", "DAC", "Speaker", "Headphone", "Headset", "Front", "Line Out", "Lineout",
		"HDMI", "IEC958", "Output", "Left Output Mixer PCM", "Right Output Mixer PCM", "",
	}
}

// OpenUp sets what lies between the card's memory and its jack to 0 dB, or to its
// most if that is less, and switches it on: many cards come up muted. It returns
// what it changed, for people.
func (m *Mixer) OpenUp() (changed []string, err error) {
	all, err := m.Controls()
	for i := range all {
		c := &all[i]
		if !leads(c) {
			continue
		}
		before, readErr := m.get(c)
		if readErr != nil {
			continue
		}
		if c.Switch {
			err = errors.Join(err, m.SetOn(c, true))
		} else {
			err = errors.Join(err, m.SetDecibels(c, 0))
		}
		if after, _ := m.get(c); after != before {
			changed = append(changed, m.say(c))
		}
	}
	return changed, err
}

// leads reports whether a control lies on the way from memory to jack.
func leads(c *Control) bool {
	kind := " Volume"
	if c.Switch {
		kind = " Switch"
	} else if c.scale == nil {
		return false
	}
	name, ok := strings.CutSuffix(c.Name, "Playback"+kind)
	if !ok {
		return false
	}
	name = strings.TrimSpace(name)
	for _, o := range outputs() {
		if strings.EqualFold(name, o) || strings.EqualFold(name, o+"s") && o != "" {
			return true
		}
	}
	return strings.HasSuffix(name, " PCM") && !strings.Contains(name, "Mic") // "USB Audio PCM"
}

// say tells a control's present state.
func (m *Mixer) say(c *Control) string {
	if c.Switch {
		return c.Name + " on"
	}
	v, _ := m.Decibels(c)
	return fmt.Sprintf("%s %+.1f dB", c.Name, v)
}

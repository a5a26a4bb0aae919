package alsa

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/alsa/internal/uapi"
)

// Address is where a device is. Subdevice is -1 for any that is free.
type Address struct{ Card, Device, Subdevice int }

func (a Address) String() string {
	if a.Subdevice >= 0 {
		return fmt.Sprintf("hw:%d,%d,%d", a.Card, a.Device, a.Subdevice)
	}
	return fmt.Sprintf("hw:%d,%d", a.Card, a.Device)
}

// open opens the device's file.
func (a Address) open(k Kernel, capture bool) (int, error) {
	if a.Subdevice >= 0 { // the control device must be open as long
		fd, err := k.Open(fmt.Sprintf("controlC%d", a.Card))
		if err != nil {
			return -1, err
		}
		defer func() { _ = k.Close(fd) }()
		number := int32(a.Subdevice)
		if err := k.Ioctl(fd, uapi.CtlPreferSubdevice, unsafe.Pointer(&number)); err != nil {
			return -1, err
		}
	}
	direction := "p"
	if capture {
		direction = "c"
	}
	return k.Open(fmt.Sprintf("pcmC%dD%d%s", a.Card, a.Device, direction))
}

// Kind is what is behind a card, as far as it shows.
type Kind int

// The kinds, best first.
const (
	DAC        Kind = iota // a hat, or what is soldered on
	USB                    //
	Headphones             // a jack driven by the processor itself
	HDMI                   //
	Inaudible              // a loopback or a dummy, which nobody hears
)

func (k Kind) String() string {
	return [...]string{"DAC", "USB", "headphones", "HDMI", "heard by nobody"}[k]
}

// Device is one that is there.
type Device struct {
	Address
	CardID string // such as "sndrpihifiberry"
	Name   string // for people
	Kind   Kind
}

// Devices lists what can play, or record, the best kind first.
func Devices(k Kernel, capture bool) ([]Device, error) {
	names, err := k.Names()
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, explain(directory, err)
	}
	var all []Device
	var failed error
	for _, name := range names {
		number, ok := strings.CutPrefix(name, "controlC")
		card, err := strconv.Atoi(number)
		if !ok || err != nil {
			continue
		}
		found, err := devicesOf(k, card, capture)
		if failed == nil {
			failed = err
		}
		all = append(all, found...)
	}
	if len(all) == 0 && failed != nil {
		return nil, failed
	}
	slices.SortStableFunc(all, func(a, b Device) int {
		return (int(a.Kind)-int(b.Kind))<<20 + (a.Card-b.Card)<<10 + a.Device - b.Device
	})
	return all, nil
}

// devicesOf lists one card's.
func devicesOf(k Kernel, card int, capture bool) ([]Device, error) {
	name := fmt.Sprintf("controlC%d", card)
	fd, err := k.Open(name)
	if err != nil {
		return nil, explain(name, err)
	}
	defer func() { _ = k.Close(fd) }()
	var c uapi.CardInfo
	if err := k.Ioctl(fd, uapi.CtlCardInfo, unsafe.Pointer(&c)); err != nil {
		return nil, explain(name, err)
	}
	var all []Device
	for number := int32(-1); ; {
		if err := k.Ioctl(fd, uapi.CtlPCMNextDevice, unsafe.Pointer(&number)); err != nil || number < 0 {
			return all, nil
		}
		info := uapi.PCMInfo{Device: uint32(number), Stream: uapi.Playback}
		if capture {
			info.Stream = uapi.Capture
		}
		if k.Ioctl(fd, uapi.CtlPCMInfo, unsafe.Pointer(&info)) != nil {
			continue // the other direction only
		}
		all = append(all, Device{
			Address: Address{card, int(number), -1}, CardID: uapi.Text(c.ID), Kind: kindOf(&c, &info),
			Name: strings.TrimSpace(uapi.Text(c.Name) + ", " + uapi.Text(info.Name)),
		})
	}
}

// kindOf judges by what driver, card and device are called.
func kindOf(c *uapi.CardInfo, info *uapi.PCMInfo) Kind {
	driver := strings.ToLower(uapi.Text(c.Driver))
	said := strings.ToLower(strings.Join([]string{driver, uapi.Text(c.ID), uapi.Text(c.Name), uapi.Text(info.ID), uapi.Text(info.Name)}, " "))
	switch {
	case driver == "loopback", driver == "dummy":
		return Inaudible
	case strings.Contains(said, "hdmi"), strings.Contains(said, "displayport"):
		return HDMI
	case driver == "usb-audio":
		return USB
	case strings.Contains(said, "headphone"), strings.HasPrefix(driver, "bcm2835"):
		return Headphones
	}
	return DAC
}

// Audible lists the devices that can be heard, the best first; there is one at
// least.
func Audible(k Kernel) ([]Device, error) {
	all, err := Devices(k, false)
	if err != nil {
		return nil, err
	}
	n := slices.IndexFunc(all, func(d Device) bool { return d.Kind == Inaudible })
	if n >= 0 {
		all = all[:n]
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("an ALSA device that could be heard is %w: connect a DAC, and see `tutti doctor`", ErrGone)
	}
	return all, nil
}

// Find finds the device called hw:CARD,DEVICE[,SUBDEVICE], or CARD alone for its
// first one; CARD is a number or an id.
func Find(k Kernel, name string, capture bool) (Device, error) {
	part := strings.Split(strings.TrimPrefix(name, "hw:"), ",")
	numbers := [2]int{-1, -1} // device and subdevice
	for i, text := range part[1:] {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || i >= len(numbers) {
			return Device{}, fmt.Errorf("the ALSA device %q is not understood: write hw:CARD,DEVICE, or the id of a card", name)
		}
		numbers[i] = n
	}
	card, err := strconv.Atoi(part[0])
	if err == nil && card >= 0 && numbers[0] >= 0 {
		return numbered(k, Address{card, numbers[0], numbers[1]}, capture), nil
	}
	all, listErr := Devices(k, capture)
	if listErr != nil {
		return Device{}, listErr
	}
	for _, d := range all {
		if (d.CardID == part[0] || err == nil && d.Card == card) && (numbers[0] < 0 || d.Device == numbers[0]) {
			d.Subdevice = numbers[1]
			return d, nil
		}
	}
	return Device{}, fmt.Errorf("the ALSA device %q is %w: there is %s", name, ErrGone, listed(all))
}

// numbered is the device at an address, with a name if its card will tell.
func numbered(k Kernel, a Address, capture bool) Device {
	found, _ := devicesOf(k, a.Card, capture)
	for _, d := range found {
		if d.Device == a.Device {
			d.Subdevice = a.Subdevice
			return d
		}
	}
	return Device{Address: a, Name: a.String()}
}

// listed names devices in a sentence.
func listed(all []Device) string {
	var names []string
	for _, d := range all {
		names = append(names, fmt.Sprintf("%v (%s)", d.Address, d.CardID))
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, ", ")
}

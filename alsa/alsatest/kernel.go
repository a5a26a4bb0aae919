// Package alsatest is a kernel with sound cards that do not exist, behind the ioctls
// of package alsa. A card has a crystal of its own, moves its position in steps,
// and can stop, sleep and be unplugged.
//
// It is safe for concurrent use. Units are those of package alsa.
package alsatest

import (
	"fmt"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/alsa/internal/uapi"
)

// Kernel is the fake; its zero value is ready. Now must be set.
type Kernel struct {
	Now  func() int64        // CLOCK_MONOTONIC, ns
	Wait func(time.Duration) // is what Poll does; nil: nothing, the test's clock goes on

	mu    sync.Mutex
	cards []*Card
	files map[int]*file
	last  int
}

// file is an open device.
type file struct {
	card   *Card
	stream *stream // nil: the control device
}

// Plug connects a card.
func (k *Kernel) Plug(c *Card) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c.defaults()
	k.cards = append(k.cards, c)
}

// Unplug removes a card; what is open of it fails from now on.
func (k *Kernel) Unplug(c *Card) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range k.cards {
		if k.cards[i] == c {
			k.cards = append(k.cards[:i], k.cards[i+1:]...)
			break
		}
	}
	for _, f := range k.files {
		if f.card == c && f.stream != nil {
			f.stream.state = uapi.StateDisconnected
		}
	}
}

// put sets the state of those of a card's streams that are in another.
func (k *Kernel) put(c *Card, from, to int32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, f := range k.files {
		if f.card == c && f.stream != nil && f.stream.state == from {
			f.stream.advance(k.Now())
			f.stream.state = to
		}
	}
}

// Stop makes a card's streams stop, as a driver does that lost its way.
func (k *Kernel) Stop(c *Card) { k.put(c, uapi.StateRunning, uapi.StateXrun) }

// Sleep suspends a card.
func (k *Kernel) Sleep(c *Card) { k.put(c, uapi.StateRunning, uapi.StateSuspended) }

// Names implements alsa.Kernel.
func (k *Kernel) Names() ([]string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	names := []string{"timer"}
	for _, c := range k.cards {
		names = append(names, fmt.Sprintf("controlC%d", c.Number), fmt.Sprintf("pcmC%dD0p", c.Number), fmt.Sprintf("pcmC%dD0c", c.Number))
	}
	return names, nil
}

// Open implements alsa.Kernel.
func (k *Kernel) Open(name string) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.cards {
		f := &file{card: c}
		switch name {
		case fmt.Sprintf("controlC%d", c.Number):
		case fmt.Sprintf("pcmC%dD0p", c.Number):
			f.stream = &stream{card: c}
		case fmt.Sprintf("pcmC%dD0c", c.Number):
			f.stream = &stream{card: c, capture: true}
		default:
			continue
		}
		for _, other := range k.files {
			if f.stream != nil && other.card == c && other.stream != nil && other.stream.capture == f.stream.capture {
				return -1, unix.EBUSY
			}
		}
		if k.files == nil {
			k.files = map[int]*file{}
		}
		k.last++
		k.files[k.last] = f
		return k.last, nil
	}
	return -1, unix.ENOENT
}

// Close implements alsa.Kernel.
func (k *Kernel) Close(fd int) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.files[fd] == nil {
		return unix.EBADF
	}
	delete(k.files, fd)
	return nil
}

// Opened is how many files are open.
func (k *Kernel) Opened() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.files)
}

// Map implements alsa.Kernel.
func (k *Kernel) Map(fd, length int) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f := k.files[fd]
	if f == nil || f.stream == nil || f.card.NoMap {
		return nil, unix.ENXIO
	}
	f.stream.memory = make([]byte, length)
	return f.stream.memory, nil
}

// Unmap implements alsa.Kernel.
func (k *Kernel) Unmap([]byte) error { return nil }

// Poll implements alsa.Kernel.
func (k *Kernel) Poll(_ int, most time.Duration) error {
	if k.Wait != nil {
		k.Wait(most)
	}
	return nil
}

// Ioctl implements alsa.Kernel.
func (k *Kernel) Ioctl(fd int, number uintptr, arg unsafe.Pointer) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	f := k.files[fd]
	if f == nil {
		return unix.EBADF
	}
	var err unix.Errno
	if f.stream == nil {
		err = f.card.control(number, arg)
	} else {
		err = f.stream.ioctl(number, arg, k.Now())
	}
	if err == 0 {
		return nil
	}
	return err
}

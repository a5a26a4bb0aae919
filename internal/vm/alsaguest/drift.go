package main

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/internal/vm/inside"
)

// shifted is what snd-aloop's rate control is set to: 100000 is nominal, and less
// is faster, by 10 ppm a step.
const shifted = 100000 - 10

// drift gives the loopback a crystal that is 100 ppm fast. Its control belongs to no
// mixer, so it is set here by its name.
func drift() error {
	fd, err := unix.Open("/dev/snd/controlC0", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	found := 0
	for number := uint32(1); number < 200; number++ {
		info := struct {
			number, iface, device, subdevice uint32
			name                             [44]byte
			_                                [212]byte
		}{number: number}
		if call(fd, 0x11, unsafe.Sizeof(info), unsafe.Pointer(&info)) != nil {
			continue
		}
		if name := string(info.name[:]); name[:14] != "PCM Rate Shift" || info.subdevice != 0 {
			continue
		}
		value := struct {
			number uint32
			_      [68]byte
			value  [128]int
			_      [128]byte
		}{number: number}
		value.value[0] = shifted
		if err := call(fd, 0x13, unsafe.Sizeof(value), unsafe.Pointer(&value)); err != nil {
			return err
		}
		found++
	}
	if found == 0 {
		return fmt.Errorf("snd-aloop has no rate control")
	}
	return nil
}

// call is an ioctl of the control device that reads and writes.
func call(fd int, number, size uintptr, arg unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), 3<<30|size<<16|'U'<<8|number, uintptr(arg))
	if errno != 0 {
		return errno
	}
	return nil
}

// learnt looks whether the speaker finds out how its card's crystal runs; the readings
// of an emulated machine scatter by milliseconds, so this takes a while.
func learnt() {
	said := "the speaker does not answer"
	for began := time.Now(); time.Since(began) < patience; time.Sleep(time.Second) {
		ppm, offset, err := crystal()
		if err != nil {
			said = err.Error()
			continue
		}
		said = fmt.Sprintf("it reckons %+.1f ppm where the card is %+.0f ppm off, and %.1f µs between what is due and what plays, %.0f s after looking first",
			ppm, 1e6*(100000.0/shifted-1), offset, time.Since(began).Seconds())
		if math.Abs(ppm-1e6*(100000.0/shifted-1)) < 40 {
			inside.Say(true, "drift", "%s", said)
			return
		}
	}
	inside.Say(false, "drift", "%s", said)
}

// crystal asks the speaker.
func crystal() (ppm, offset float64, err error) {
	r, err := http.Get("http://127.0.0.1:8400/api/v1/status")
	if err != nil {
		return 0, 0, err
	}
	defer r.Body.Close()
	var s struct {
		Timing struct {
			Card   float64 `json:"card_ppm"`
			Offset float64 `json:"offset_us"`
		}
	}
	err = json.NewDecoder(r.Body).Decode(&s)
	return s.Timing.Card, s.Timing.Offset, err
}

// Command alsaguest is the /init of the machine in which package alsa and the tutti
// binary meet the kernel's own drivers. It uses snd-aloop: what is played on one of
// its devices is recorded on the other.
package main

import (
	"time"

	"github.com/tutti-audio/tutti/alsa"
	"github.com/tutti-audio/tutti/internal/vm/inside"
)

// loopback is the card: device 0 plays into device 1, subdevice by subdevice.
const loopback = "Loopback"

func main() {
	defer inside.Stop()
	if err := inside.Start(); err != nil {
		inside.Say(false, "start", "%v", err)
		return
	}
	waitForCard()
	for _, each := range []struct {
		format alsa.Format
		rate   int
		copied bool
	}{{alsa.S32, 48000, false}, {alsa.S32, 48000, true}, {alsa.S24, 44100, false}, {alsa.S24In3, 48000, true}, {alsa.S24In3, 96000, false}, {alsa.S16, 96000, false}} {
		c := config(each.format, each.rate)
		c.Copied = each.copied
		exact(c)
	}
	clock()
	house()
	hardware()
}

// waitForCard gives the kernel time to make the device files.
func waitForCard() {
	for range 100 {
		if _, err := alsa.Find(alsa.Linux{}, loopback, false); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/tutti-audio/tutti/alsa"
	"github.com/tutti-audio/tutti/internal/vm/inside"
)

// hardware plays on the cards of the machine, where it has some: one on the board,
// which comes up muted, and one on USB, which is really unplugged. What they play is
// heard by the host.
func hardware() {
	if b, _ := os.ReadFile("/modules/later"); len(b) == 0 {
		return
	}
	if err := inside.LoadAll("/modules/later"); err != nil {
		inside.Say(false, "hardware", "%v", err)
		return
	}
	board, usb := waitFor(alsa.DAC), waitFor(alsa.USB)
	inside.Say(board.CardID != "" && usb.CardID != "", "cards", "%v and %v", board, usb)
	sender := start("send", "--interface", "lo", "--latency", "300ms", "--codec", "pcm24", "--http", ":8401", fmt.Sprintf("tone:%g:-6", tone))
	linkClock(board)
	speaker := start("run", "--interface", "lo", "--output", "alsa:auto", "--volume", "100", "--state-dir", "/tmp/board", "--http", ":8400")
	inside.Say(speaker.says(board.Name) && speaker.says("msg=joined"), "auto", "it plays on the board's card")
	inside.Say(speaker.says("changed="), "mixer", "the card's own volume is set")
	time.Sleep(8 * time.Second)
	suspend(speaker)
	time.Sleep(8 * time.Second)
	speaker.end()
	speaker = start("run", "--interface", "lo", "--output", "alsa:"+usb.CardID, "--volume", "100", "--state-dir", "/tmp/usb", "--http", ":8400")
	inside.Say(speaker.says("msg=joined"), "usb", "it plays on %v", usb)
	time.Sleep(6 * time.Second)
	fmt.Println("ASK unplug")
	inside.Say(speaker.says("output lost"), "usb-unplug", "the speaker says so")
	time.Sleep(3 * time.Second)
	speaker.forget()
	fmt.Println("ASK plug")
	inside.Say(speaker.says("output open"), "usb-plug", "the speaker opens it again by itself")
	time.Sleep(6 * time.Second)
	speaker.end()
	sender.end()
	doctor()
}

// suspend puts all devices to sleep for five seconds, with the programs frozen, and
// wakes them: the speaker must find that its stream has stopped and begin again.
func suspend(speaker *process) {
	speaker.forget()
	err := write("/sys/power/pm_test", "devices")
	if err == nil {
		err = write("/sys/power/state", "freeze")
	}
	inside.Say(err == nil && speaker.says("output lost") && speaker.says("output open"), "suspend", "%v; the speaker opens its output again", err)
}

// waitFor finds a card of a kind.
func waitFor(kind alsa.Kind) alsa.Device {
	for range 150 {
		all, _ := alsa.Devices(alsa.Linux{}, false)
		for _, d := range all {
			if d.Kind == kind {
				return d
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	return alsa.Device{}
}

// linkClock asks for the card's own clock, which HDA has.
func linkClock(d alsa.Device) {
	out, err := alsa.OpenPlayback(alsa.Linux{}, d.Address, config(0, 48000))
	if err != nil {
		inside.Say(false, "link-clock", "%v", err)
		return
	}
	defer out.Close()
	time.Sleep(500 * time.Millisecond)
	s, err := out.Status(2)
	inside.Say(err == nil && s.Frames > 0, "link-clock", "%+v, %v, %+v", s, err, out.Config())
}

// doctor prints what the doctor says of the cards.
func doctor() {
	p := start("doctor", "--interface", "lo", "--output", "alsa:auto", "--state-dir", "/tmp/doctor")
	_ = p.cmd.Wait()
	inside.Say(strings.Contains(p.log.String(), "(USB)") && strings.Contains(p.log.String(), "(DAC)"), "doctor", "it lists both cards")
}

// Package output holds the sound devices a speaker can play on: ALSA, PulseAudio, a
// WAV file, a virtual card with a crystal of its own, and null.
//
// All of them look alike to the player: frames are written ahead into a bounded
// queue without blocking, and Position says how many frames had left the DAC at
// a local instant. Audio is interleaved stereo float32 at the rate in Format.
// A device belongs to one goroutine.
package output

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tutti-audio/tutti/alsa"
	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// Channels is how many channels every output has.
const Channels = 2

// Format is what a device granted.
type Format struct {
	Name    string        // for people: "virtual card, +120 ppm"
	Problem string        // what is wrong with it although it is open; empty: nothing
	Did     string        // what opening it changed outside, such as a mixer's volume
	Rate    int           // frames per second
	Buffer  int           // frames that can be queued
	Lead    time.Duration // that must be queued at least, lest it run dry
	Fixed   time.Duration // delay behind the position, such as a DAC's filter
}

// Position is where a device is.
type Position struct {
	Played  timebase.Card  // frames that had left the DAC
	At      timebase.Local // when that was so, or a little later
	Written timebase.Card  // number of the next frame to be written
	Xruns   uint64         // how often the queue ran dry since the device was opened
}

// ErrGone is wrapped by errors of a device that vanished: open it again.
var ErrGone = errors.New("the sound device is gone")

// Device is an opened output.
type Device interface {
	Format() Format
	// Write queues frames, the first of which is number at: Position().Written
	// or what follows the last Write. Those that the card has run past meanwhile
	// are too late, dropped, and count as taken. It returns how many it took;
	// fewer than given when the queue is full. It does not block.
	Write(at timebase.Card, pcm []float32) (frames int, err error)
	Position() (Position, error)
	Close() error
}

// tooLate is how many of the frames that begin at number at lie before next, where
// a card that ran dry goes on.
func tooLate(at, next timebase.Card, pcm []float32) int {
	return int(max(0, min(next-at, timebase.Card(len(pcm)/Channels))))
}

// Open opens the output that spec names: alsa[:DEVICE], pulse[:SINK], wav:FILE,
// virtual[:KEY=VALUE,…], null, or auto. An ALSA device is hw:CARD,DEVICE, the id of a
// card, or auto.
func Open(spec string, clock *hostclock.Clock) (Device, error) {
	kind, rest, _ := strings.Cut(spec, ":")
	switch kind {
	case "auto":
		return openAuto(clock)
	case "alsa":
		return openALSA(alsa.Linux{}, rest, clock)
	case "pulse":
		return openPulse(rest, clock)
	case "null":
		return openVirtual(virtualConfig{name: "null"}, clock)
	case "wav":
		if rest == "" {
			return nil, errors.New("output wav needs a file: wav:NAME.wav")
		}
		return openVirtual(virtualConfig{name: "wav file " + rest, record: rest}, clock)
	case "virtual":
		c, err := parseVirtual(rest)
		if err != nil {
			return nil, err
		}
		return openVirtual(c, clock)
	}
	return nil, fmt.Errorf("output %q is unknown: use alsa[:DEVICE], pulse[:SINK], wav:FILE, virtual[:KEY=VALUE,…], null or auto", spec)
}

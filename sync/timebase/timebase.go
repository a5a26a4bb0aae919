// Package timebase gives every instant in Tutti a type, so that a time of one
// clock can never be subtracted from a time of another by mistake.
//
// Four clocks meet in a speaker (ARCHITECTURE.md, "How time works"):
//
//   - [Local]: this host's CLOCK_MONOTONIC, in nanoseconds. It never steps, but
//     it drifts by tens of parts per million.
//   - [House]: the clock of the stream's sender, in nanoseconds since the Unix
//     epoch as that sender saw it when it started; monotonic from then on.
//   - [Media]: frames of the stream at 48 kHz since it began, unwrapped.
//   - [Card]: frames of a sound card since it was opened, at the card's own rate.
//
// Conversions between them belong to the packages that estimate them (offset,
// servo). Everything here is a value; nothing reads a clock.
package timebase

import "time"

// Rate is the media clock of OSTP, in frames per second (WIRE section 1).
const Rate = 48000

// Local is an instant of this host's CLOCK_MONOTONIC, in nanoseconds.
type Local int64

// House is an instant of the stream's sender, in nanoseconds since the Unix
// epoch.
type House int64

// Media is a position in the stream, in frames at 48 kHz since it began.
type Media int64

// Card is a position of a sound card, in frames at its own rate since it was
// opened.
type Card int64

// Add returns l moved by d.
func (l Local) Add(d time.Duration) Local { return l + Local(d) }

// Sub returns the time from m to l.
func (l Local) Sub(m Local) time.Duration { return time.Duration(l - m) }

// Add returns h moved by d.
func (h House) Add(d time.Duration) House { return h + House(d) }

// Sub returns the time from g to h.
func (h House) Sub(g House) time.Duration { return time.Duration(h - g) }

// Duration returns how long n frames last at 48 kHz, rounded to nanoseconds.
func (m Media) Duration() time.Duration {
	whole, rest := m/Rate, m%Rate
	return time.Duration(whole)*time.Second + time.Duration(rest)*time.Second/Rate
}

// Frames returns how many frames at 48 kHz begin within d, rounded down.
func Frames(d time.Duration) Media {
	whole, rest := d/time.Second, d%time.Second
	return Media(whole)*Rate + Media(rest*Rate/time.Second)
}

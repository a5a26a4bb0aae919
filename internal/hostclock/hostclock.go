// Package hostclock reads CLOCK_MONOTONIC, the clock behind timebase.Local, and
// is the only package that does.
//
// A wall-clock step cannot be heard, because nothing in the audio path reads the
// wall clock: kernel stamps come in CLOCK_REALTIME and are turned into local time
// at once, by their age.
//
// A [Clock] can be given a skew, in parts per million, to try out hosts whose
// crystals differ on one machine. It is immutable and safe for concurrent use.
package hostclock

import (
	"math"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/sync/timebase"
)

// Clock is a host's monotonic clock.
type Clock struct {
	start int64 // raw reading at which skewed and raw time are equal
	skew  float64
}

// New returns the host's clock, running skewPPM fast (0: as it is).
func New(skewPPM float64) *Clock {
	return &Clock{start: raw(unix.CLOCK_MONOTONIC), skew: skewPPM * 1e-6}
}

// Now returns the present instant.
func (c *Clock) Now() timebase.Local { return c.FromMonotonic(raw(unix.CLOCK_MONOTONIC)) }

// FromMonotonic turns a raw CLOCK_MONOTONIC reading, in ns, into local time.
func (c *Clock) FromMonotonic(ns int64) timebase.Local {
	return timebase.Local(ns + int64(math.Round(float64(ns-c.start)*c.skew)))
}

// Monotonic is the inverse of FromMonotonic.
func (c *Clock) Monotonic(l timebase.Local) int64 {
	since := float64(int64(l) - c.start)
	return c.start + int64(math.Round(since/(1+c.skew)))
}

// maxAge is the greatest age a kernel stamp is believed to have.
const maxAge = time.Second

// FromRealtime turns a kernel stamp in CLOCK_REALTIME into local time. ok is
// false when the stamp cannot be right: the wall clock was stepped meanwhile.
func (c *Clock) FromRealtime(stamp unix.Timespec) (l timebase.Local, ok bool) {
	before := raw(unix.CLOCK_MONOTONIC)
	wall := raw(unix.CLOCK_REALTIME)
	after := raw(unix.CLOCK_MONOTONIC)
	age := wall - stamp.Nano()
	if age < -int64(time.Millisecond) || age > int64(maxAge) {
		return c.FromMonotonic(after), false
	}
	return c.FromMonotonic(before + (after-before)/2 - age), true
}

// SleepUntil blocks the calling thread until l. It is exact to tens of
// microseconds where the runtime's timers round up to a millisecond; call it
// from a goroutine that owns its thread.
func (c *Clock) SleepUntil(l timebase.Local) {
	until := unix.NsecToTimespec(c.Monotonic(l))
	for unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &until, nil) == unix.EINTR {
	}
}

// RaiseThread asks the kernel to run the calling thread before ordinary ones and
// to wake it without slack, and reports whether it agreed to the former. Only the
// thread that moves audio is raised: were the runtime's others too, they could
// starve the machine.
func RaiseThread() bool {
	const slack, priority = 1, 50 // ns; of 1 to 99
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, slack, 0, 0, 0)
	attr := &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: priority}
	return unix.SchedSetAttr(0, attr, 0) == nil
}

// Wall returns the wall clock, in ns since the Unix epoch, for starting a house
// clock.
func (c *Clock) Wall() int64 { return raw(unix.CLOCK_REALTIME) }

func raw(clock int32) int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		panic("hostclock: the kernel has no clock: " + err.Error())
	}
	return ts.Nano()
}

// Package hostclock reads CLOCK_MONOTONIC, the clock behind timebase.Local, and
// is the only package that does.
//
// A wall-clock step cannot be heard, because nothing in the audio path reads the
// wall clock: kernel stamps come in CLOCK_REALTIME and are turned into local time
// at once, by their age.
//
// A [Clock] can be given a skew, in parts per million, to try out hosts whose
// crystals differ on one machine, and a wall clock that is stepped. It is safe for
// concurrent use.
package hostclock

import (
	"math"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/sync/timebase"
)

// Clock is a host's monotonic clock.
type Clock struct {
	began time.Time // with the runtime's monotonic reading, which needs no system call
	start int64     // CLOCK_MONOTONIC at began; skewed and raw time are equal there
	skew  float64

	stepped atomic.Int64 // by StepWall, ns
}

// New returns the host's clock, running skewPPM fast (0: as it is).
func New(skewPPM float64) *Clock {
	c := &Clock{skew: skewPPM * 1e-6}
	best := int64(math.MaxInt64)
	for range 8 { // the quickest of a few pairs of readings
		before := raw(unix.CLOCK_MONOTONIC)
		began := time.Now()
		after := raw(unix.CLOCK_MONOTONIC)
		if after-before < best {
			best, c.began, c.start = after-before, began, before+(after-before)/2
		}
	}
	return c
}

// raw is CLOCK_MONOTONIC now: time.Since reads that same clock.
func (c *Clock) raw() int64 { return c.start + int64(time.Since(c.began)) }

// Now returns the present instant.
func (c *Clock) Now() timebase.Local { return c.FromMonotonic(c.raw()) }

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
	now := time.Now() // both clocks at once
	age := now.UnixNano() + c.stepped.Load() - stamp.Nano()
	monotonic := c.start + int64(now.Sub(c.began))
	if age < -int64(time.Millisecond) || age > int64(maxAge) {
		return c.FromMonotonic(monotonic), false
	}
	return c.FromMonotonic(monotonic - age), true
}

// tight is the sleep below which a thread lives by the millisecond.
const tight = 4 * time.Millisecond

// SleepUntil blocks the calling thread until l. It is exact to tens of
// microseconds where the runtime's timers round up to a millisecond; call it
// from a goroutine that owns its thread.
//
// Of two ways to sleep neither serves all. If the runtime is told of the system
// call, it takes the thread's place to run Go code away every 10 ms and then
// watches at 20 µs a look whether to do so again: the thread finds another place
// at once, but the watching costs four times what everything else a speaker does.
// If it is not told, it asks the thread to give way every 10 ms, and what runs
// meanwhile may hold it up by milliseconds. So short sleeps are told, long ones
// are not. Either way the program must leave a place to spare (GOMAXPROCS above
// the number of cores). The runtime's signals end a sleep early.
func (c *Clock) SleepUntil(l timebase.Local) {
	end := c.Monotonic(l)
	until := unix.NsecToTimespec(end)
	for now := c.raw(); now < end; now = c.raw() {
		if end-now < int64(tight) {
			_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &until, nil)
		} else {
			_, _, _ = unix.RawSyscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, uintptr(unsafe.Pointer(&until)), 0, 0, 0)
		}
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
func (c *Clock) Wall() int64 { return raw(unix.CLOCK_REALTIME) + c.stepped.Load() }

// StepWall steps the wall clock as this clock sees it, for experiments. The kernel
// goes on stamping by the true one, as if each datagram had been on its way when
// the step came.
func (c *Clock) StepWall(d time.Duration) { c.stepped.Add(int64(d)) }

func raw(clock int32) int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		panic("hostclock: the kernel has no clock: " + err.Error())
	}
	return ts.Nano()
}

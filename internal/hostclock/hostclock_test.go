package hostclock

import (
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestSkewInverts(t *testing.T) {
	c := New(150)
	for _, ns := range []int64{c.start, c.start + 3600e9, c.start - 5e9} {
		if got := c.Monotonic(c.FromMonotonic(ns)); got-ns > 1 || ns-got > 1 {
			t.Errorf("%d comes back as %d", ns, got)
		}
	}
	if ahead := c.FromMonotonic(c.start+1000e9) - c.FromMonotonic(c.start); ahead != 1000_150_000_000 {
		t.Errorf("1000 s at +150 ppm last %d ns", ahead)
	}
}

func TestFromRealtime(t *testing.T) {
	c := New(0)
	before := c.Now()
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &ts); err != nil {
		t.Fatal(err)
	}
	after := c.Now()
	if l, ok := c.FromRealtime(ts); ok && (l < before.Add(-time.Millisecond) || l > after.Add(time.Millisecond)) {
		t.Errorf("a stamp taken between %d and %d becomes %d", before, after, l)
	}
	stepped := unix.NsecToTimespec(ts.Nano() - 86400e9)
	if _, ok := c.FromRealtime(stepped); ok {
		t.Error("a stamp from before a wall-clock step of a day is believed")
	}
}

func TestSleepUntil(t *testing.T) {
	c := New(0)
	until := c.Now().Add(3 * time.Millisecond)
	c.SleepUntil(until)
	if now := c.Now(); now < until {
		t.Errorf("woke %v early", until.Sub(now))
	}
}

// A step of the wall clock makes stamps from before it useless, and moves nothing.
func TestStepWall(t *testing.T) {
	for _, day := range []time.Duration{24 * time.Hour, -24 * time.Hour} {
		c := New(80)
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_REALTIME, &ts); err != nil {
			t.Fatal(err)
		}
		before := c.Now()
		c.StepWall(day)
		if l, ok := c.FromRealtime(ts); ok || l < before || l > c.Now() {
			t.Errorf("after a step of %v a stamp from before is believed (%v) or becomes %v", day, ok, l.Sub(before))
		}
		if moved := time.Duration(c.Wall() - ts.Nano()); moved < day || moved > day+time.Minute {
			t.Errorf("a step of %v moves the wall clock by %v", day, moved)
		}
	}
}

// What is locked shows in the kernel's own account of the process.
func TestLockProgram(t *testing.T) {
	if err := LockProgram(); err != nil {
		t.Skip("not allowed here: ", err)
	}
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmLck:")
	if fields := strings.Fields(rest); len(fields) < 2 || fields[0] == "0" {
		t.Errorf("locked: %v", fields)
	}
}

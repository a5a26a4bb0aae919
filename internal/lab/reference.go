package main

import (
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/internal/hostclock"
)

// stalls counts how often the machine itself lets a raised thread, which does
// nothing but sleep a millisecond at a time, wake up later than late. There is one
// on each core it may use. What such a thread suffers no speaker can escape.
type stalls struct {
	late  time.Duration
	count atomic.Int64
	worst atomic.Int64 // ns
	over  atomic.Bool
}

func watchStalls(late time.Duration) *stalls {
	s := &stalls{late: late}
	runtime.GOMAXPROCS(2*runtime.NumCPU() + 2) // each of the threads keeps a place to run Go code
	for core := range runtime.NumCPU() {
		go s.watch(core)
	}
	return s
}

// stop ends the threads within their millisecond.
func (s *stalls) stop() (count int64, worst time.Duration) {
	s.over.Store(true)
	return s.count.Load(), time.Duration(s.worst.Load())
}

func (s *stalls) watch(core int) {
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	var cores unix.CPUSet
	cores.Set(core)
	_ = unix.SchedSetaffinity(0, &cores)
	hostclock.RaiseThread()
	for !s.over.Load() {
		until := now() + int64(time.Millisecond)
		t := unix.NsecToTimespec(until)
		for now() < until { // signals end a sleep early
			_, _, _ = unix.RawSyscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, uintptr(unsafe.Pointer(&t)), 0, 0, 0)
		}
		late := now() - until
		if late > int64(s.late) {
			s.count.Add(1)
		}
		if late > s.worst.Load() {
			s.worst.Store(late)
		}
		_, _, _ = unix.Syscall(unix.SYS_GETPPID, 0, 0, 0) // here a garbage collection may stop the world
	}
}

// now reads CLOCK_MONOTONIC. Like all that the loop above calls it has no place
// where the Go scheduler takes a thread away, and a thread inside a system call of
// this kind is not taken away by its signals either.
//
//go:nosplit
func now() int64 {
	var t unix.Timespec
	_, _, _ = unix.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&t)), 0)
	return t.Nano()
}

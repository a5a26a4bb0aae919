// Command tutti is a speaker, a source, and the tools to look after both.
//
// Results go to standard output, everything else to standard error. The exit
// code is 0 when all went well, 1 when something failed, 2 when the command was
// misused, and 3 when nothing was found or nobody answered.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
)

// spareProcs is how many more threads than cores may run Go code. A busy machine
// takes a thread off its core in the middle of Go code; were there no place to
// spare, the audio thread would wait for that one: up to 63 ms were seen.
const spareProcs = 4

// garbage is how much the heap may grow before it is collected, in percent. A speaker
// makes little, so that half the usual costs no time and saves a megabyte or two.
const garbage = 50

func main() {
	runtime.GOMAXPROCS(runtime.NumCPU() + spareProcs)
	debug.SetGCPercent(garbage)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], surroundings{out: os.Stdout, err: os.Stderr, getenv: os.Getenv})
	stop()
	os.Exit(code)
}

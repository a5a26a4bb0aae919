package output

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-audio/tutti/internal/hostclock"
)

// autoLook is how often auto looks for an output while there is none.
const autoLook = 2 * time.Second

// openAuto opens the best output there is: PulseAudio, else none.
func openAuto(clock *hostclock.Clock) (Device, error) {
	d, err := openPulse("", clock)
	if err == nil {
		return d, nil
	}
	null, nullErr := openVirtual(virtualConfig{name: "null, for want of an output"}, clock)
	if nullErr != nil {
		return nil, nullErr
	}
	w := &wanting{Device: null, problem: fmt.Errorf("nothing is heard: %w; or choose an output with --output", err), quit: make(chan struct{})}
	w.wait.Go(func() { w.look(clock) })
	return w, nil
}

// wanting is no output, until there is one: then it is gone, so that it is opened
// again.
type wanting struct {
	Device
	problem error
	found   atomic.Bool
	quit    chan struct{}
	wait    sync.WaitGroup
}

func (w *wanting) look(clock *hostclock.Clock) {
	tick := time.NewTicker(autoLook)
	defer tick.Stop()
	for !w.found.Load() {
		select {
		case <-w.quit:
			return
		case <-tick.C:
		}
		if d, err := openPulse("", clock); err == nil {
			_ = d.Close()
			w.found.Store(true)
		}
	}
}

// Format implements Device.
func (w *wanting) Format() Format {
	f := w.Device.Format()
	f.Problem = w.problem.Error()
	return f
}

// Position implements Device.
func (w *wanting) Position() (Position, error) {
	if w.found.Load() {
		return Position{}, fmt.Errorf("%w: a PulseAudio server has come", ErrGone)
	}
	return w.Device.Position()
}

// Close implements Device.
func (w *wanting) Close() error {
	close(w.quit)
	w.wait.Wait()
	return w.Device.Close()
}

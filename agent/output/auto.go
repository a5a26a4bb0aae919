package output

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-audio/tutti/alsa"
	"github.com/tutti-audio/tutti/internal/hostclock"
)

// autoLook is how often auto looks for a better output than it has.
const autoLook = 2 * time.Second

// openAuto opens the best output there is: PulseAudio, which has the cards where it
// runs, else ALSA, else none.
func openAuto(clock *hostclock.Clock) (Device, error) {
	d, err := openPulse("", clock)
	if err == nil {
		return d, nil
	}
	d, alsaErr := openALSA(alsa.Linux{}, "auto", clock)
	if alsaErr == nil {
		return d, nil
	}
	null, nullErr := openVirtual(virtualConfig{name: "null, for want of an output"}, clock)
	if nullErr != nil {
		return nil, nullErr
	}
	problem := fmt.Sprintf("nothing is heard: %v; or choose an output with --output", errors.Join(err, alsaErr))
	return watch(null, problem, func() string {
		if d, err := openPulse("", clock); err == nil {
			_ = d.Close()
			return "a PulseAudio server has come"
		}
		if d, err := openALSA(alsa.Linux{}, "auto", clock); err == nil {
			_ = d.Close()
			return "a sound card has come"
		}
		return ""
	}), nil
}

// watched is a device that is gone as soon as there is a better one, so that the
// output is opened again.
type watched struct {
	Device
	problem string
	better  func() string // says what has come, or nothing
	come    atomic.Pointer[string]
	quit    chan struct{}
	wait    sync.WaitGroup
}

func watch(d Device, problem string, better func() string) Device {
	w := &watched{Device: d, problem: problem, better: better, quit: make(chan struct{})}
	w.wait.Go(w.look)
	return w
}

func (w *watched) look() {
	tick := time.NewTicker(autoLook)
	defer tick.Stop()
	for w.come.Load() == nil {
		select {
		case <-w.quit:
			return
		case <-tick.C:
		}
		if what := w.better(); what != "" {
			w.come.Store(&what)
		}
	}
}

// Format implements Device.
func (w *watched) Format() Format {
	f := w.Device.Format()
	if w.problem != "" {
		f.Problem = w.problem
	}
	return f
}

// Position implements Device.
func (w *watched) Position() (Position, error) {
	if what := w.come.Load(); what != nil {
		return Position{}, fmt.Errorf("%w: %s", ErrGone, *what)
	}
	return w.Device.Position()
}

// Close implements Device.
func (w *watched) Close() error {
	close(w.quit)
	w.wait.Wait()
	return w.Device.Close()
}

package source

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tutti-audio/tutti/alsa"
)

const (
	alsaTarget  = 10 * time.Millisecond // fill of the ring
	alsaPeriod  = 2500 * time.Microsecond
	alsaBuffer  = 200 * time.Millisecond
	alsaWait    = 200 * time.Millisecond // for a period
	alsaBackoff = 250 * time.Millisecond
	alsaLongest = 2 * time.Second // between attempts to open it again
)

// alsaCapture feeds a live source from an ALSA device, such as a line input, at the
// device's own rate and pace.
type alsaCapture struct {
	kernel alsa.Kernel
	live   *live
	device string // as the user named it
	want   alsa.Config
	mix    *mixer
	log    *slog.Logger
	quit   chan struct{}
	done   chan struct{}
	pcm    []float32 // buffers of the goroutine
	mixed  []float32
}

// openALSA captures "alsa:hw:CARD,DEVICE" or "alsa:ID" of a card.
func openALSA(kernel alsa.Kernel, in, device string, opt Options) (Source, error) {
	if device == "" {
		return nil, fmt.Errorf("input %q: name the device, such as alsa:hw:1,0 or alsa:ID of its card; `tutti doctor` lists those that play", in)
	}
	c := &alsaCapture{kernel: kernel, device: device, log: opt.Log, quit: make(chan struct{}), done: make(chan struct{})}
	c.want = alsa.Config{Rate: Rate, Channels: 2, PeriodTime: alsaPeriod, BufferTime: alsaBuffer}
	pcm, err := c.open()
	if err != nil {
		return nil, fmt.Errorf("input %q: %w", in, err)
	}
	got := pcm.Config()
	if got.Channels > maxChannels {
		_ = pcm.Close()
		return nil, fmt.Errorf("input %q has %d channels: Tutti takes 1 to %d", in, got.Channels, maxChannels)
	}
	channels := opt.Channels
	if channels == 0 {
		channels = got.Channels
	}
	c.want.Rate, c.want.Channels = got.Rate, got.Channels // also when it comes back
	c.pcm = make([]float32, got.Buffer*got.Channels)
	c.mix = newMixer(got.Channels, channels)
	c.live = newLive(in, got.Rate, channels, max(alsaTarget, 2*duration(int64(got.Period), got.Rate)))
	c.live.stop = c.close
	c.live.connected(true)
	go c.run(pcm)
	return c.live, nil
}

func (c *alsaCapture) open() (*alsa.PCM, error) {
	d, err := alsa.Find(c.kernel, c.device, true)
	if err != nil {
		return nil, err
	}
	return alsa.OpenCapture(c.kernel, d.Address, c.want)
}

// run records until Close, and opens the device again when it was gone.
func (c *alsaCapture) run(pcm *alsa.PCM) {
	defer close(c.done)
	for pcm != nil {
		err := c.record(pcm)
		_ = pcm.Close()
		if err == nil {
			return
		}
		c.live.connected(false)
		c.log.Warn("the input is gone; silence until it is back", "input", c.live.name, "error", err)
		if pcm = c.reopen(); pcm != nil {
			c.live.connected(true)
			c.log.Info("the input is back", "input", c.live.name)
		}
	}
}

// record feeds the ring until the device fails, or Close, which is no error.
func (c *alsaCapture) record(pcm *alsa.PCM) error {
	idle := 0
	for {
		select {
		case <-c.quit:
			return nil
		default:
		}
		n, err := pcm.Read(c.pcm)
		if errors.Is(err, alsa.ErrStopped) { // we were late, or it slept
			err = pcm.Recover()
		}
		if err != nil {
			return err
		}
		if n > 0 {
			idle = 0
			c.mixed = c.mix.append(c.mixed[:0], c.pcm[:n*c.want.Channels])
			c.live.feed(c.mixed, nil)
			continue
		}
		if idle++; idle > 20 {
			return errors.New("it records nothing any more")
		}
		if err := pcm.Wait(alsaWait); err != nil {
			return err
		}
	}
}

// reopen tries until the device is there again, waiting longer each time; nil means
// Close.
func (c *alsaCapture) reopen() *alsa.PCM {
	for wait := alsaBackoff; ; wait = min(2*wait, alsaLongest) {
		select {
		case <-c.quit:
			return nil
		case <-time.After(wait):
		}
		pcm, err := c.open()
		if err == nil && (pcm.Config().Rate != c.want.Rate || pcm.Config().Channels != c.want.Channels) {
			_ = pcm.Close()
			err = errors.New("it came back with another rate or number of channels: start tutti send again")
		}
		if err == nil {
			return pcm
		}
		c.log.Debug("open the input again", "input", c.live.name, "error", err)
	}
}

func (c *alsaCapture) close() error {
	close(c.quit)
	<-c.done
	return nil
}

package output

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// virtualConfig is a card that does not exist. Its DAC takes a frame whenever its
// own crystal says so, whether or not anybody is awake.
type virtualConfig struct {
	name        string
	ppm         float64       // constant error of the crystal against CLOCK_MONOTONIC
	swing       float64       // amplitude of its thermal swing, ppm
	period      time.Duration // of the swing
	granularity int           // frames by which the reported position moves
	jitter      time.Duration // mean lateness of the position's time stamp, exponential
	seed        uint64
	rate        int
	buffer      int
	record      string // WAV file, with FILE.instants beside it; empty: none
}

// parseVirtual reads ppm=120,swing=2,period=15m,granularity=8,jitter=15us,
// seed=1,rate=48000,buffer=9600,record=FILE.
func parseVirtual(text string) (c virtualConfig, err error) {
	if text == "" {
		return c, nil
	}
	for _, part := range strings.Split(text, ",") {
		key, value, _ := strings.Cut(part, "=")
		switch key {
		case "ppm":
			c.ppm, err = strconv.ParseFloat(value, 64)
		case "swing":
			c.swing, err = strconv.ParseFloat(value, 64)
		case "period":
			c.period, err = time.ParseDuration(value)
		case "granularity":
			c.granularity, err = strconv.Atoi(value)
		case "jitter":
			c.jitter, err = time.ParseDuration(value)
		case "seed":
			c.seed, err = strconv.ParseUint(value, 10, 64)
		case "rate":
			c.rate, err = strconv.Atoi(value)
		case "buffer":
			c.buffer, err = strconv.Atoi(value)
		case "record":
			c.record = value
		default:
			err = fmt.Errorf("unknown key: use ppm, swing, period, granularity, jitter, seed, rate, buffer or record")
		}
		if err != nil {
			return c, fmt.Errorf("output virtual, %q: %w", part, err)
		}
	}
	if c.granularity < 0 || c.jitter < 0 || c.buffer < 0 || c.rate != 0 && (c.rate < 8000 || c.rate > 192000) {
		return c, fmt.Errorf("output virtual:%s: granularity, jitter and buffer are at least 0, rate is 8000 to 192000", text)
	}
	return c, nil
}

// virtual is the card.
type virtual struct {
	virtualConfig
	clock  *hostclock.Clock
	rng    *rand.Rand
	start  int64     // CLOCK_MONOTONIC at frame 0, ns
	queue  []float32 // ring of buffer frames
	dacked timebase.Card
	next   timebase.Card // number of the next frame written
	xruns  uint64
	file   *recorder
}

func openVirtual(c virtualConfig, clock *hostclock.Clock) (Device, error) {
	if c.name == "" {
		c.name = fmt.Sprintf("virtual card, %+g ppm", c.ppm)
	}
	if c.rate == 0 {
		c.rate = timebase.Rate
	}
	if c.buffer == 0 {
		c.buffer = c.rate / 5
	}
	c.granularity = max(c.granularity, 1)
	if c.period == 0 {
		c.period = 15 * time.Minute
	}
	v := &virtual{
		virtualConfig: c, clock: clock, rng: rand.New(rand.NewPCG(c.seed, 1)),
		start: clock.Monotonic(clock.Now()), queue: make([]float32, c.buffer*Channels),
	}
	if c.record != "" {
		var err error
		if v.file, err = newRecorder(c.record, c.rate, v.instant); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// Format implements Device.
func (v *virtual) Format() Format {
	return Format{Name: v.name, Rate: v.rate, Buffer: v.buffer}
}

// framesAt is how many frames the DAC has taken at a CLOCK_MONOTONIC instant.
func (v *virtual) framesAt(ns int64) float64 {
	t := float64(ns-v.start) * 1e-9
	w := 2 * math.Pi / v.period.Seconds()
	return float64(v.rate) * (t*(1+v.ppm*1e-6) + v.swing*1e-6/w*(1-math.Cos(w*t)))
}

// instant is the inverse of framesAt.
func (v *virtual) instant(frame timebase.Card) int64 {
	want := float64(frame)
	t := want / float64(v.rate) * 1e9
	for range 4 {
		t += (want - v.framesAt(v.start+int64(t))) / float64(v.rate) * 1e9
	}
	return v.start + int64(math.Round(t))
}

// run lets the DAC take what it would have taken by now.
func (v *virtual) run(now int64) {
	due := timebase.Card(v.framesAt(now))
	for v.dacked < due {
		if v.dacked == v.next { // ran dry
			if v.next > 0 {
				v.xruns++
			}
			v.silence(due - v.dacked)
			v.dacked, v.next = due, due
			return
		}
		at := int(v.dacked) % v.buffer
		n := min(due-v.dacked, v.next-v.dacked, timebase.Card(v.buffer-at))
		if v.file != nil {
			v.file.write(v.queue[at*Channels : (at+int(n))*Channels])
		}
		v.dacked += n
	}
}

func (v *virtual) silence(frames timebase.Card) {
	if v.file == nil {
		return
	}
	var zero [512 * Channels]float32
	for frames > 0 {
		n := min(frames, 512)
		v.file.write(zero[:n*Channels])
		frames -= n
	}
}

// Write implements Device.
func (v *virtual) Write(at timebase.Card, pcm []float32) (int, error) {
	v.run(v.clock.Monotonic(v.clock.Now()))
	late := tooLate(at, v.next, pcm)
	pcm = pcm[late*Channels:]
	room := v.buffer - int(v.next-v.dacked)
	frames := min(room, len(pcm)/Channels)
	for done := 0; done < frames; {
		at := (int(v.next) + done) % v.buffer
		n := copy(v.queue[at*Channels:], pcm[done*Channels:frames*Channels]) / Channels
		done += n
	}
	v.next += timebase.Card(frames)
	return late + frames, v.failed()
}

// Position implements Device. Like a real card's it is rounded down, and its
// stamp is late.
func (v *virtual) Position() (Position, error) {
	now := v.clock.Now()
	v.run(v.clock.Monotonic(now))
	g := timebase.Card(v.granularity)
	late := time.Duration(0)
	if v.jitter > 0 {
		late = time.Duration(v.rng.ExpFloat64() * float64(v.jitter))
	}
	return Position{Played: v.dacked / g * g, At: now.Add(late), Written: v.next, Xruns: v.xruns}, v.failed()
}

func (v *virtual) failed() error {
	if v.file == nil {
		return nil
	}
	if err := v.file.error(); err != nil {
		return fmt.Errorf("%w: cannot write %s: %w", ErrGone, v.record, err)
	}
	return nil
}

// Close implements Device: what is queued is dropped, as on a real card.
func (v *virtual) Close() error {
	if v.file == nil {
		return nil
	}
	return v.file.close()
}

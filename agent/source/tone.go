package source

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// generator makes endless stereo audio at 48 kHz: render overwrites dst.
type generator interface {
	render(dst []float32)
}

// generated is a source without an input. It never ends.
type generated struct {
	name   string
	title  string
	gen    generator
	mix    *mixer
	stereo []float32
	frames atomic.Int64
	closed atomic.Bool
}

// newGenerated makes a source of gen with the given channels, 0 for two.
func newGenerated(name, title string, gen generator, channels int) *generated {
	if channels == 0 {
		channels = 2
	}
	return &generated{name: name, title: title, gen: gen, mix: newMixer(2, channels)}
}

func (g *generated) Channels() int { return g.mix.out }

func (g *generated) Read(dst []float32) (int, error) {
	if g.closed.Load() {
		return 0, io.EOF
	}
	n := len(dst) / g.mix.out
	if g.mix.in == g.mix.out {
		g.gen.render(dst[:2*n])
	} else {
		if cap(g.stereo) < 2*n {
			g.stereo = make([]float32, 2*n)
		}
		g.stereo = g.stereo[:2*n]
		g.gen.render(g.stereo)
		g.mix.append(dst[:0], g.stereo)
	}
	g.frames.Add(int64(n))
	return n, nil
}

func (g *generated) Status() Status {
	return Status{
		Input: g.name, Count: 1, Tags: Tags{Title: g.title, Artist: "Tutti"},
		Elapsed: duration(g.frames.Load(), Rate),
	}
}

func (g *generated) Close() error {
	g.closed.Store(true)
	return nil
}

// duration returns how long frames last at rate.
func duration(frames int64, rate int) time.Duration {
	whole, rest := frames/int64(rate), frames%int64(rate)
	return time.Duration(whole)*time.Second + time.Duration(rest)*time.Second/time.Duration(rate)
}

// silence renders zeros.
type silence struct{}

func (silence) render(dst []float32) { clear(dst) }

// tone renders a sine on both channels. Its phase is counted in 2⁻⁶⁴ turns, so
// that it never drifts, however long it plays.
type tone struct {
	phase, step uint64
	level       float64
}

// newTone opens "tone[:HZ[:DBFS]]"; arg is what follows the first colon.
func newTone(name, arg string, channels int) (Source, error) {
	hz, dbfs := 1000.0, -20.0
	first, second, more := strings.Cut(arg, ":")
	var err error
	if first != "" {
		hz, err = strconv.ParseFloat(first, 64)
	}
	if err == nil && more {
		dbfs, err = strconv.ParseFloat(second, 64)
	}
	if err != nil || !(hz > 0 && hz < Rate/2) || !(dbfs >= -200 && dbfs <= 0) {
		return nil, fmt.Errorf("input %q: write tone:HZ:DBFS with 0 < HZ < %d and DBFS from -200 to 0, such as tone:440:-20", name, Rate/2)
	}
	t := &tone{step: uint64(math.Round(hz / Rate * (1 << 32) * (1 << 32))), level: math.Pow(10, dbfs/20)}
	return newGenerated(name, fmt.Sprintf("Tone of %g Hz at %g dBFS", hz, dbfs), t, channels), nil
}

func (t *tone) render(dst []float32) {
	for i := 0; i+1 < len(dst); i += 2 {
		turn := float64(t.phase) / (1 << 32) / (1 << 32)
		x := float32(t.level * math.Sin(2*math.Pi*turn))
		dst[i], dst[i+1] = x, x
		t.phase += t.step
	}
}

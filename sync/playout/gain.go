package playout

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Volume taper: percent to decibels is linear, half a decibel a step, so that
// each step sounds alike; 0 is silence, 100 is unity.
const taperStep = 0.5 // dB

// gainRamp is how long a change of gain takes, in frames: 20 ms.
const gainRamp = 960

// GainOf returns the linear gain of a volume from 0 to 100.
func GainOf(volume int) float32 {
	if volume <= 0 {
		return 0
	}
	return float32(math.Pow(10, (float64(min(volume, 100))-100)*taperStep/20))
}

// gain is a gain that moves to its target in a straight line.
type gain struct {
	current, target, step float32
	left                  int // frames of the ramp
}

func (g *gain) set(target float32) {
	if target == g.target && g.left > 0 || target == g.current && g.left == 0 {
		return
	}
	g.target, g.left = target, gainRamp
	g.step = (target - g.current) / gainRamp
}

// apply scales interleaved stereo in place.
func (g *gain) apply(pcm []float32) {
	i := 0
	for ; g.left > 0 && i < len(pcm); i += outputs {
		g.current += g.step
		if g.left--; g.left == 0 {
			g.current = g.target
		}
		pcm[i] *= g.current
		pcm[i+1] *= g.current
	}
	if g.current == 1 {
		return
	}
	for ; i < len(pcm); i++ {
		pcm[i] *= g.current
	}
}

// ChannelMap is which of the stream's channels the two outputs play. Names are
// stereo, left, right, mono, and 1+2, 3, … for channels by number.
type ChannelMap struct {
	name string
	pick [outputs]int // channel from 0; mix when mono
	mono bool
}

// ParseChannelMap reads a channel map's name.
func ParseChannelMap(name string) (ChannelMap, error) {
	m := ChannelMap{name: name}
	switch name {
	case "", "stereo":
		return ChannelMap{name: "stereo", pick: [outputs]int{0, 1}}, nil
	case "left":
		return m, nil
	case "right":
		m.pick = [outputs]int{1, 1}
		return m, nil
	case "mono":
		m.mono = true
		return m, nil
	}
	left, right, two := strings.Cut(name, "+")
	if !two {
		right = left
	}
	for i, text := range []string{left, right} {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 8 {
			return m, fmt.Errorf("channel map %q: use stereo, left, right, mono, one channel (3) or two (3+4), from 1 to 8", name)
		}
		m.pick[i] = n - 1
	}
	return m, nil
}

// String returns the name.
func (m ChannelMap) String() string {
	if m.name == "" {
		return "stereo"
	}
	return m.name
}

// weights returns the gain of each of the stream's channels in each output.
func (m ChannelMap) weights(channels int) (w [outputs][8]float32) {
	for out := range outputs {
		if m.mono {
			n := min(channels, outputs)
			for c := range n {
				w[out][c] = 1 / float32(n)
			}
			continue
		}
		w[out][min(m.pick[out], channels-1)] = 1
	}
	return w
}

// mixer turns the stream's channels into the two outputs; a changed map fades in
// over one packet.
type mixer struct {
	channels int
	now      [outputs][8]float32
	want     [outputs][8]float32
}

func (m *mixer) set(c ChannelMap, channels int, atOnce bool) {
	m.channels = channels
	m.want = c.weights(channels)
	if atOnce {
		m.now = m.want
	}
}

// mix writes the stereo mix of in to out.
func (m *mixer) mix(out, in []float32) {
	frames := len(out) / outputs
	if m.now == m.want && m.channels == outputs && m.now[0][0] == 1 && m.now[1][1] == 1 {
		copy(out, in)
		return
	}
	for i := range frames {
		share := float32(i+1) / float32(frames)
		frame := in[i*m.channels : (i+1)*m.channels]
		for o := range outputs {
			sum := float32(0)
			for c, s := range frame {
				sum += s * (m.now[o][c] + share*(m.want[o][c]-m.now[o][c]))
			}
			out[i*outputs+o] = sum
		}
	}
	m.now = m.want
}

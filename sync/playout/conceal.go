package playout

import "math"

// Extrapolation of lost PCM: the last frames are modelled as an all-pole filter
// (Burg's method) whose free ringing continues the sound; it fades out, and what
// comes next fades in over it. Tones go on as tones, and nothing clicks.
const (
	arOrder    = 32
	arHistory  = 1024 // frames the model is fitted to
	holdFrames = 480  // 10 ms at full level
	fadeFrames = 1440 // then 30 ms down to silence
	joinFrames = 120  // 2.5 ms crossfade into what follows
)

// extrapolator continues a stereo signal. It allocates only when made.
type extrapolator struct {
	model   [outputs][arOrder]float64
	memory  [outputs][arOrder]float64 // the newest sample first
	forward [arHistory]float64
	back    [arHistory]float64
	age     int // frames made since the model was fitted
	active  bool
}

// begin fits the model to the end of the past, interleaved stereo.
func (x *extrapolator) begin(past []float32) {
	x.active, x.age = true, 0
	frames := min(len(past)/outputs, arHistory)
	past = past[len(past)-frames*outputs:]
	for ch := range outputs {
		x.fit(ch, past, frames)
	}
}

// fit runs Burg's recursion on one channel.
func (x *extrapolator) fit(ch int, past []float32, frames int) {
	x.model[ch], x.memory[ch] = [arOrder]float64{}, [arOrder]float64{}
	if frames <= 2*arOrder {
		return
	}
	f, b := x.forward[:frames], x.back[:frames]
	for i := range frames {
		f[i] = float64(past[i*outputs+ch])
		b[i] = f[i]
	}
	for k := range arOrder {
		x.memory[ch][k] = f[frames-1-k]
	}
	a := &x.model[ch]
	for m := range arOrder {
		var num, den float64
		for i := m + 1; i < frames; i++ {
			num += f[i] * b[i-1]
			den += f[i]*f[i] + b[i-1]*b[i-1]
		}
		if den < 1e-12 {
			return
		}
		k := 2 * num / den * 0.9999 // a little inside the unit circle
		for i := frames - 1; i > m; i-- {
			f[i], b[i] = f[i]-k*b[i-1], b[i-1]-k*f[i]
		}
		reflect(a, m, k)
	}
}

// reflect is Levinson's step from order m to m+1.
func reflect(a *[arOrder]float64, m int, k float64) {
	a[m] = k
	for i, j := 0, m-1; i <= j; i, j = i+1, j-1 {
		a[i], a[j] = a[i]-k*a[j], a[j]-k*a[i]
	}
}

// next writes the continuation.
func (x *extrapolator) next(out []float32) {
	for i := 0; i < len(out); i += outputs {
		level := x.level()
		for ch := range outputs {
			sum := 0.0
			for k, c := range x.model[ch] {
				sum += c * x.memory[ch][k]
			}
			sum = min(max(sum, -2), 2)
			copy(x.memory[ch][1:], x.memory[ch][:arOrder-1])
			x.memory[ch][0] = sum
			out[i+ch] = float32(sum * level)
		}
		x.age++
	}
}

// level is the fade at the present age.
func (x *extrapolator) level() float64 {
	switch t := x.age - holdFrames; {
	case t <= 0:
		return 1
	case t >= fadeFrames:
		return 0
	default:
		return 0.5 + 0.5*math.Cos(math.Pi*float64(t)/fadeFrames)
	}
}

// join ends the continuation by crossfading it into the head of pcm.
func (x *extrapolator) join(pcm, scratch []float32) {
	x.active = false
	n := min(joinFrames, len(pcm)/outputs, len(scratch)/outputs)
	x.next(scratch[:n*outputs])
	for i := range n {
		in := float32(i+1) / float32(n+1)
		for ch := range outputs {
			at := i*outputs + ch
			pcm[at] = pcm[at]*in + scratch[at]*(1-in)
		}
	}
}

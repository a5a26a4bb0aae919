package source

// drumKit is light percussion: a soft kick, a rim and a shaker.
type drumKit struct {
	kick      uint32 // phase
	kickStep  float32
	kickLevel float32

	rimNoise, shakeNoise noise
	rimPhase             uint32
	rimLevel             float32
	shakeLevel           float32
	shakePrev            float32
}

// start plays the pattern of a step: the shaker from bar 2, the rest from bar 4
// until the last bar.
func (d *drumKit) start(bar, in int, event uint32) {
	if bar >= 2 {
		d.shakeNoise = newNoise(event + 1000)
		d.shakeLevel = [4]float32{0.05, 0.025, 0.07, 0.03}[in%4]
	}
	if bar < 4 || bar == tuneBars-1 {
		return
	}
	if in == 0 || in == 7 && bar%2 == 1 || in == 10 {
		d.kick, d.kickStep, d.kickLevel = 0, float32(phaseStep(150)), 0.25
	}
	if in == 4 || in == 12 {
		d.rimNoise, d.rimPhase, d.rimLevel = newNoise(event+2000), 0, 0.22
	}
}

func (d *drumKit) add(l, r, ambient []float32, sine *sineTable) {
	low := float32(phaseStep(48))
	rimStep := phaseStep(1700)
	for i := range l {
		k := d.kickLevel * sine.at(d.kick)
		d.kick += uint32(d.kickStep)
		d.kickStep += 0.0012 * (low - d.kickStep)
		d.kickLevel *= 0.99975

		rim := d.rimLevel * (0.6*d.rimNoise.next() + 0.4*sine.at(d.rimPhase))
		d.rimPhase += rimStep
		d.rimLevel *= 0.9975

		w := d.shakeNoise.next()
		shake := d.shakeLevel * (w - d.shakePrev) // the difference takes out the lows
		d.shakePrev = w
		d.shakeLevel *= 0.9982

		l[i] += k + 0.8*rim + 0.5*shake
		r[i] += k + 0.55*rim + 0.9*shake
		ambient[i] += 0.35 * rim
	}
}

// echo repeats the melody from side to side.
type echo struct {
	line [2][]float32
	pos  int
}

func newEcho(frames int) *echo {
	return &echo{line: [2][]float32{make([]float32, frames), make([]float32, frames)}}
}

func (e *echo) add(l, r, ambient, in []float32) {
	a, b := e.line[0], e.line[1]
	for i, x := range in {
		left, right := a[e.pos], b[e.pos]
		a[e.pos], b[e.pos] = x+0.38*right, 0.8*left
		if e.pos++; e.pos == len(a) {
			e.pos = 0
		}
		l[i] += 0.5 * left
		r[i] += 0.5 * right
		ambient[i] += 0.3*x + 0.15*(left+right)
	}
}

// reverb is a small room: four delay lines that feed each other through a
// Hadamard matrix and lose their highs.
type reverb struct {
	line [4][]float32
	pos  [4]int
	low  [4]float32
}

func newReverb() *reverb {
	r := &reverb{}
	for k, n := range [4]int{1433, 1777, 2011, 2389} {
		r.line[k] = make([]float32, n)
	}
	return r
}

func (v *reverb) add(l, r, in []float32) {
	for i, x := range in {
		var o [4]float32
		for k := range o {
			v.low[k] += 0.45 * (v.line[k][v.pos[k]] - v.low[k])
			o[k] = v.low[k]
		}
		s, d := o[0]+o[1], o[0]-o[1]
		p, q := o[2]+o[3], o[2]-o[3]
		const loop = 0.42 // half for the matrix, the rest is the decay
		back := [4]float32{s + p, d + q, s - p, d - q}
		for k := range back {
			v.line[k][v.pos[k]] = x + loop*back[k]
			if v.pos[k]++; v.pos[k] == len(v.line[k]) {
				v.pos[k] = 0
			}
		}
		l[i] += 0.35 * (o[0] + o[2])
		r[i] += 0.35 * (o[1] + o[3])
	}
}

package source

import "math"

// sineTable looks up sines; a phase of 2³² is one turn.
type sineTable [4097]float32

func newSineTable() *sineTable {
	t := new(sineTable)
	for i := range t {
		t[i] = float32(math.Sin(2 * math.Pi * float64(i) / 4096))
	}
	return t
}

func (t *sineTable) at(phase uint32) float32 {
	i := phase >> 20
	f := float32(phase&(1<<20-1)) * (1.0 / (1 << 20))
	return t[i] + f*(t[i+1]-t[i])
}

// phaseStep returns the phase per frame of a frequency.
func phaseStep(hz float64) uint32 { return uint32(hz / Rate * (1 << 32)) }

// noise is a small generator of white noise between -1 and 1.
type noise uint32

func (n *noise) next() float32 {
	*n = *n*1664525 + 1013904223
	return float32(int32(*n)) * (1.0 / (1 << 31))
}

// newNoise seeds a generator for an event of the score.
func newNoise(event uint32) noise { return noise(event*2654435761 + 12345) }

// pluck is a string by Karplus and Strong: a burst of noise runs round a delay
// line that smooths it.
type pluck struct {
	line        [1024]float32
	length, pos int
	tune        float32 // coefficient of the all-pass that tunes the line
	inPrev, out float32
	last        float32
	keep        float32
	left, right float32
	age, life   int
}

func (p *pluck) start(note int, loud, pan float32, event uint32) {
	hz := noteHz(note)
	period := Rate/hz - 0.5 // the smoothing delays by half a frame
	p.length = int(period - 0.3)
	frac := period - float64(p.length)
	p.tune = float32((1 - frac) / (1 + frac))
	p.keep = float32(math.Pow(0.001, 1/(hz*2.8))) // 60 dB in 2.8 s, by the loop alone
	p.pos, p.inPrev, p.out, p.last = 0, 0, 0, 0
	p.age, p.life = 0, 4*Rate
	p.left, p.right = 0.65*loud*(1-pan), 0.65*loud*pan
	rnd := newNoise(event)
	smooth, mean := float32(0), float32(0)
	for i := range p.length {
		smooth += 0.8 * (rnd.next() - smooth)
		p.line[i] = smooth
		mean += smooth / float32(p.length)
	}
	for i := range p.length {
		p.line[i] -= mean
	}
}

func (p *pluck) add(l, r, ambient []float32) {
	if p.age >= p.life {
		return
	}
	for i := range l {
		x := p.line[p.pos]
		smooth := p.keep * 0.5 * (x + p.last)
		p.last = x
		y := p.tune*(smooth-p.out) + p.inPrev
		p.inPrev, p.out = smooth, y
		p.line[p.pos] = y
		if p.pos++; p.pos == p.length {
			p.pos = 0
		}
		const fade = 4800
		p.age++
		if rest := p.life - p.age; rest < fade {
			x *= float32(max(rest, 0)) / fade
		}
		l[i] += p.left * x
		r[i] += p.right * x
		ambient[i] += 0.25 * x * (p.left + p.right)
	}
}

// piano is an electric piano: two operators of frequency modulation and a tine.
type piano struct {
	carrier, modulator, tine uint32 // phases
	step, tineStep           uint32
	level, index, ting       float32
	attack                   float32
	life                     int // frames to go
}

func (p *piano) start(note int) {
	hz := noteHz(note)
	*p = piano{step: phaseStep(hz), tineStep: phaseStep(math.Min(hz*7.03, 9000)), level: 0.17, index: 0.22, ting: 0.05, life: 3 * Rate}
}

func (p *piano) add(l, r, send []float32, sine *sineTable) {
	const turn = 1 << 32
	n := min(len(l), p.life)
	p.life -= n
	for i := range n {
		m := p.index * sine.at(p.modulator)
		x := p.level*sine.at(p.carrier+uint32(int32(m*(turn/2-1)))) + p.ting*sine.at(p.tine)
		p.carrier += p.step
		p.modulator += p.step
		p.tine += p.tineStep
		p.attack += 0.01 * (1 - p.attack)
		x *= p.attack
		p.level *= 0.99995
		p.index *= 0.99993
		p.ting *= 0.9995
		l[i] += 0.8 * x
		r[i] += 0.8 * x
		send[i] += 0.5 * x
	}
}

// pad is a soft chord of four notes, slightly detuned left against right.
type pad struct {
	phase  [4][2]uint32
	step   [4][2]uint32
	level  float32
	target float32
}

func (p *pad) start(notes [4]int) {
	for k, note := range notes {
		hz := noteHz(note)
		p.phase[k] = [2]uint32{uint32(k) << 29, uint32(k)<<29 + 1<<30}
		p.step[k] = [2]uint32{phaseStep(hz * 0.9985), phaseStep(hz * 1.0015)}
	}
	p.level, p.target = 0, 0.035
}

func (p *pad) release() { p.target = 0 }

func (p *pad) add(l, r, ambient []float32, sine *sineTable) {
	if p.target == 0 && p.level == 0 {
		return
	}
	for i := range l {
		p.level += 0.00008 * (p.target - p.level)
		var x, y float32
		for k := range p.step {
			a, b := p.phase[k][0], p.phase[k][1]
			x += sine.at(a) + 0.3*sine.at(2*a)
			y += sine.at(b) + 0.3*sine.at(2*b)
			p.phase[k][0] = a + p.step[k][0]
			p.phase[k][1] = b + p.step[k][1]
		}
		x, y = p.level*x, p.level*y
		l[i] += x
		r[i] += y
		ambient[i] += 0.3 * (x + y)
	}
}

// bassVoice is a round bass: a fundamental and a fading octave.
type bassVoice struct {
	phase, step    uint32
	level, octave  float32
	attack, target float32
}

func (b *bassVoice) start(note int) {
	b.step = phaseStep(noteHz(note))
	b.target, b.octave = 0.17, 0.11
	b.attack = 0
}

func (b *bassVoice) add(l, r []float32, sine *sineTable) {
	if b.step == 0 {
		return
	}
	for i := range l {
		b.level += 0.004 * (b.target - b.level)
		b.target *= 0.99996
		b.octave *= 0.9999
		b.attack += 0.004 * (1 - b.attack)
		x := b.level*sine.at(b.phase) + b.attack*b.octave*sine.at(2*b.phase)
		b.phase += b.step
		l[i] += x
		r[i] += x
	}
}

package source

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// The tune is our own: "Four Rooms", 32 bars in D at 100 beats a minute, 76.8 s
// in form A A B A, played for ever. Plucked strings, an electric piano, a pad,
// a bass and light percussion; the plucks and the percussion are wide-band, so
// that the alignment of two recordings can be found by cross-correlation.
//
// It is computed as it plays. Noise is seeded by the place in the score, so
// every run gives the same samples (on one architecture; others may round a
// last bit differently).

const (
	tuneStep  = 7200 // frames of a sixteenth note
	tuneBar   = 16   // steps
	tuneBars  = 32
	tuneBlock = 240 // frames rendered at once at most
)

// chord is one bar of harmony, as MIDI note numbers.
type chord struct {
	bass int
	pad  [4]int
}

// tune sequences the score and mixes the voices.
type tune struct {
	chords []chord     // per bar
	melody map[int]int // note by step
	step   int         // next to be started, within the tune
	left   int         // frames until it starts

	sine    *sineTable
	plucks  [10]pluck
	nextPl  int
	pianos  [8]piano
	nextPi  int
	pads    [2]pad
	bass    bassVoice
	drums   drumKit
	echo    *echo
	reverb  *reverb
	dry     [2][tuneBlock]float32 // left, right
	send    [tuneBlock]float32    // to the echo
	ambient [tuneBlock]float32    // to the reverb
}

func newTune() *tune {
	return &tune{
		chords: tuneChords(), melody: tuneMelody(),
		sine: newSineTable(), echo: newEcho(3 * tuneStep), reverb: newReverb(),
	}
}

// tuneChords returns the harmony of all bars.
func tuneChords() []chord {
	a := parseChords("D2 A3 C#4 E4 F#4 | B1 A3 D4 E4 F#4 | G2 B3 D4 F#4 A4 | A1 B3 D4 E4 F#4 | " +
		"F#2 A3 C#4 D4 F#4 | E2 G3 B3 D4 F#4 | G2 B3 D4 F#4 G4 | A1 B3 D4 E4 A4")
	b := parseChords("B1 A3 C#4 D4 F#4 | G2 B3 D4 F#4 A4 | F#2 A3 D4 E4 A4 | A1 A3 C#4 E4 B4 | " +
		"B1 A3 C#4 D4 F#4 | G2 B3 D4 F#4 A4 | E2 G3 B3 D4 A4 | A1 G3 B3 D4 E4")
	all := append(append([]chord{}, a...), a...)
	return append(append(all, b...), a...)
}

// tuneMelody returns the melody's notes by step.
func tuneMelody() map[int]int {
	const a1 = "F#5/6 E5/2 D5/4 A4/4  B4/6 D5/2 E5/8  F#5/4 A5/4 G5/2 F#5/2 E5/4  E5/6 D5/2 E5/8 "
	const a2 = "F#5/6 G5/2 A5/4 D5/4  B5/4 A5/4 G5/4 F#5/4  G5/6 F#5/2 E5/4 D5/4  E5/12 -/4 "
	const b = "D5/2 E5/2 F#5/4 C#6/4 B5/4  A5/8 F#5/4 D5/4  A5/4 F#5/2 E5/2 D5/4 E5/4  C#5/4 E5/4 A5/8 " +
		"F#5/2 A5/2 B5/4 D6/4 C#6/4  B5/4 A5/4 F#5/8  G5/4 F#5/4 E5/4 D5/4  E5/8 D5/4 C#5/4 "
	score := "-/64 " + a2 + a1 + a2 + b + a1 + a2
	notes := map[int]int{}
	at := 0
	for word := range strings.FieldsSeq(score) {
		name, length, _ := strings.Cut(word, "/")
		if name != "-" {
			notes[at] = midiNote(name)
		}
		n, err := strconv.Atoi(length)
		if err != nil {
			panic(fmt.Sprintf("score: %q has no length", word))
		}
		at += n
	}
	return notes
}

// parseChords reads bars of one bass and four pad notes.
func parseChords(s string) []chord {
	var all []chord
	for bar := range strings.SplitSeq(s, "|") {
		n := strings.Fields(bar)
		c := chord{bass: midiNote(n[0])}
		for i := range c.pad {
			c.pad[i] = midiNote(n[i+1])
		}
		all = append(all, c)
	}
	return all
}

// midiNote returns the number of a note such as C#5; C4 is 60.
func midiNote(name string) int {
	base := map[byte]int{'C': 0, 'D': 2, 'E': 4, 'F': 5, 'G': 7, 'A': 9, 'B': 11}[name[0]]
	if strings.Contains(name, "#") {
		base++
	}
	return 12*int(name[len(name)-1]-'0'+1) + base
}

// noteHz returns the frequency of a note number.
func noteHz(note int) float64 { return 440 * math.Exp2(float64(note-69)/12) }

func (t *tune) render(dst []float32) {
	for len(dst) >= 2 {
		if t.left == 0 {
			t.start(t.step)
			t.step = (t.step + 1) % (tuneBars * tuneBar)
			t.left = tuneStep
		}
		n := min(len(dst)/2, t.left, tuneBlock)
		t.mix(dst[:2*n])
		t.left -= n
		dst = dst[2*n:]
	}
}

// start begins the notes of a step.
func (t *tune) start(step int) {
	bar, in := step/tuneBar, step%tuneBar
	c := t.chords[bar]
	if in == 0 {
		t.pads[bar%2].start(c.pad)
		t.pads[1-bar%2].release()
	}
	t.startPluck(step, bar, in, c)
	if note, ok := t.melody[step]; ok {
		t.pianos[t.nextPi].start(note)
		t.nextPi = (t.nextPi + 1) % len(t.pianos)
	}
	if bar >= 2 && (in == 0 || in == 6 || in == 10 && bar%2 == 1) {
		t.bass.start(c.bass)
	}
	t.drums.start(bar, in, uint32(step))
}

// startPluck plays the broken chords.
func (t *tune) startPluck(step, bar, in int, c chord) {
	patterns := [2]string{"0.2.3.1.4.2.31.2", "0.3.2.4.1.3.2.42"}
	p := patterns[bar%2][in]
	if p == '.' {
		return
	}
	note := c.bass + 12
	if k := int(p - '0'); k > 0 {
		note = c.pad[k-1] + 12*(k/4)
	}
	pan := float32(0.5 + 0.35*math.Sin(float64(in)*1.3))
	loud := float32(0.75)
	if in%4 == 0 {
		loud = 1
	}
	t.plucks[t.nextPl].start(note, loud, pan, uint32(step))
	t.nextPl = (t.nextPl + 1) % len(t.plucks)
}

// mix renders one block of all voices.
func (t *tune) mix(dst []float32) {
	n := len(dst) / 2
	l, r := t.dry[0][:n], t.dry[1][:n]
	send, ambient := t.send[:n], t.ambient[:n]
	clear(l)
	clear(r)
	clear(send)
	clear(ambient)
	for i := range t.plucks {
		t.plucks[i].add(l, r, ambient)
	}
	for i := range t.pianos {
		t.pianos[i].add(l, r, send, t.sine)
	}
	for i := range t.pads {
		t.pads[i].add(l, r, ambient, t.sine)
	}
	t.bass.add(l, r, t.sine)
	t.drums.add(l, r, ambient, t.sine)
	t.echo.add(l, r, ambient, send)
	t.reverb.add(l, r, ambient)
	for i := range n {
		dst[2*i], dst[2*i+1] = soften(l[i]), soften(r[i])
	}
}

// soften bends peaks so that the mix never reaches full scale.
func soften(x float32) float32 {
	if x > -0.5 && x < 0.5 {
		return x
	}
	return float32(math.Copysign(0.5+0.4*math.Tanh((math.Abs(float64(x))-0.5)/0.4), float64(x)))
}

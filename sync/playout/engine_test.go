package playout

import (
	"math"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/codec"
	"github.com/tutti-audio/tutti/sync/offset"
	"github.com/tutti-audio/tutti/sync/servo"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const (
	epoch   = timebase.House(1_763_800_000e9)
	latency = 100 * time.Millisecond
	packet  = 240
)

// rig is an engine with a perfect card and a house clock equal to local time
// plus epoch. Card frame 0 is at the DAC at local 0.
type rig struct {
	t        *testing.T
	engine   *Engine
	encoder  codec.Encoder
	rendered timebase.Card
	signal   func(frame int64) (left, right float32)
}

func newRig(t *testing.T, kind ostp.PayloadType, mapping ChannelMap) *rig {
	t.Helper()
	r := &rig{t: t, engine: New(servo.NewCard(48000, 0, 1), 100, false, mapping), signal: sine}
	p := codec.Params{Type: kind, Channels: 2, Frames: packet, NoDither: true}
	var err error
	if r.encoder, err = codec.NewEncoder(p); err != nil {
		t.Fatal(err)
	}
	if err := r.engine.Start(Format{Codec: p, Latency: latency, Anchor: servo.Anchor{House: epoch, Media: 0}}); err != nil {
		t.Fatal(err)
	}
	var f offset.Filter
	for i := range timebase.Local(4) {
		l := i * 1e6
		f.Add(offset.Exchange{T1: l, T2: epoch + timebase.House(l+1000), T3: epoch + timebase.House(l+1000), T4: l + 2000})
	}
	r.engine.SetClock(f.Estimate())
	for i := range timebase.Card(400) {
		r.engine.Timeline.Card.Add(servo.Reading{Played: i * 48, At: timebase.Local(i) * 1e6})
	}
	return r
}

func sine(frame int64) (float32, float32) {
	x := 0.5 * math.Sin(2*math.Pi*997*float64(frame)/48000)
	return float32(x), float32(-x / 2)
}

// push sends packet number n of the stream.
func (r *rig) push(n int) Verdict {
	pcm := make([]float32, packet*2)
	for i := range packet {
		pcm[2*i], pcm[2*i+1] = r.signal(int64(n*packet + i))
	}
	payload, err := r.encoder.Append(nil, pcm)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.engine.Push(uint32(n), uint32(n*packet), n == 0, payload, timebase.Local(n*packet)*1e9/48000)
}

// render plays the next frames and returns them.
func (r *rig) render(frames int) []float32 {
	out := make([]float32, frames*2)
	r.engine.Render(out, r.rendered)
	r.rendered += timebase.Card(frames)
	return out
}

// TestExactStart: silence to the frame, then the first sample at its instant.
func TestExactStart(t *testing.T) {
	r := newRig(t, ostp.PCM24, ChannelMap{})
	r.signal = func(frame int64) (float32, float32) { return 0.5, 0.25 }
	for n := range 40 {
		if v := r.push(n); v != Stored {
			t.Fatalf("packet %d: verdict %d", n, v)
		}
	}
	out := r.render(9600)
	start := int(timebase.Frames(latency))
	for i := range start - 30 {
		if out[2*i] != 0 {
			t.Fatalf("frame %d is %g before the start at %d", i, out[2*i], start)
		}
	}
	if out[2*start] < 0.2 || out[2*(start+40)] < 0.499 || out[2*(start-1)] > 0.3 {
		t.Errorf("around the start: %g %g %g", out[2*start-2], out[2*start], out[2*start+80])
	}
}

// worst compares rendered frames with the signal and returns the largest error.
func (r *rig) worst(out []float32, first int64) float64 {
	worst := 0.0
	for i := range len(out) / 2 {
		l, _ := r.signal(first + int64(i))
		worst = max(worst, math.Abs(float64(out[2*i]-l)))
	}
	return worst
}

func TestReorderedDoubledAndLatePackets(t *testing.T) {
	r := newRig(t, ostp.PCM24, ChannelMap{})
	for _, n := range []int{0, 2, 1, 3, 5, 4, 9, 8, 7, 6} {
		r.push(n)
	}
	for n := 10; n < 60; n++ {
		r.push(n)
	}
	if v := r.push(5); v != Duplicate {
		t.Errorf("doubled packet: verdict %d, want %d", v, Duplicate)
	}
	start := timebase.Frames(latency)
	r.render(int(start) + 2000)
	if v := r.push(3); v != Late {
		t.Errorf("late packet: verdict %d, want %d", v, Late)
	}
	if v := r.engine.Push(61, 0x7FFFFFFF, false, []byte{0, 0, 0}, 0); v != Early {
		t.Errorf("absurd media timestamp: verdict %d, want %d", v, Early)
	}
	if v := r.engine.Push(0x70000000, 61*packet, false, []byte{0, 0, 0}, 0); v != Early {
		t.Errorf("absurd sequence: verdict %d, want %d", v, Early)
	}
	if worst := r.worst(r.render(4000), 2000); worst > 1e-5 {
		t.Errorf("reordered stream differs by %g", worst)
	}
	if s := r.engine.Stats(); s.Lost != 0 || s.Concealed != 0 || s.Jumps != 0 {
		t.Errorf("%+v: want nothing lost, concealed or jumped", s)
	}
}

// roughness is the largest third difference: a click of height h shows as about h
// or more, where the sine itself stays below 0.002.
func roughness(out []float32) float64 {
	worst := 0.0
	for i := 6; i < len(out); i += 2 {
		d := float64(out[i]) - 3*float64(out[i-2]) + 3*float64(out[i-4]) - float64(out[i-6])
		worst = max(worst, math.Abs(d))
	}
	return worst
}

// TestLossIsConcealed: a lost packet leaves no click, and a tone goes on as a tone.
func TestLossIsConcealed(t *testing.T) {
	for _, kind := range []ostp.PayloadType{ostp.PCM16, ostp.PCM24, ostp.Opus} {
		r := newRig(t, kind, ChannelMap{})
		for n := range 100 {
			if n != 30 && n != 50 && n != 51 && n != 52 {
				r.push(n)
			}
		}
		r.render(int(timebase.Frames(latency)) + 2000)
		out := r.render(100*packet - 4000)
		s := r.engine.Stats()
		if s.Lost != 4 {
			t.Errorf("%v: %d packets lost, want 4", kind, s.Lost)
		}
		if rough := roughness(out); rough > 0.05 {
			t.Errorf("%v: a step of %.3f where packets were lost", kind, rough)
		}
		worst := r.worst(out, 2000)
		t.Logf("%v: roughness %.4f, largest error %.3f, %d frames concealed", kind, roughness(out), worst, s.Concealed)
		if kind != ostp.Opus && worst > 0.2 {
			t.Errorf("%v: the tone is off by %.3f where packets were lost", kind, worst)
		}
	}
}

// TestStarvedAndBack: the stream stops for a second and comes back.
func TestStarvedAndBack(t *testing.T) {
	r := newRig(t, ostp.PCM24, ChannelMap{})
	for n := range 40 {
		r.push(n)
	}
	start := int(timebase.Frames(latency))
	out := r.render(start + 40*packet + 24000)
	for n := 240; n < 280; n++ {
		r.push(n)
	}
	out = append(out, r.render(280*packet+start-int(r.rendered)-100)...)
	if rough := roughness(out[2*(start+500):]); rough > 0.02 {
		t.Errorf("a step of %.3f around the gap", rough)
	}
	for i := start + 40*packet + 3000; i < start+240*packet-100; i++ {
		if out[2*i] != 0 {
			t.Fatalf("frame %d of the gap is %g, want silence", i, out[2*i])
		}
	}
	if worst := r.worst(out[2*(start+240*packet+1000):], 240*packet+1000); worst > 1e-5 {
		t.Errorf("after the gap the stream differs by %g", worst)
	}
}

// TestJumpIsCrossfaded: a trim of 20 ms moves playout at once, without a click.
func TestJumpIsCrossfaded(t *testing.T) {
	r := newRig(t, ostp.PCM24, ChannelMap{})
	for n := range 80 {
		r.push(n)
	}
	start := int(timebase.Frames(latency))
	r.render(start + 3000)
	r.engine.SetTrim(20 * time.Millisecond)
	out := r.render(6000)
	if rough := roughness(out); rough > 0.02 {
		t.Errorf("a step of %.3f at the jump", rough)
	}
	if worst := r.worst(out[2*1000:], 3000+1000-960); worst > 1e-4 {
		t.Errorf("after the jump the stream differs by %g", worst)
	}
	if s := r.engine.Stats(); s.Jumps != 1 {
		t.Errorf("%d jumps, want 1", s.Jumps)
	}
}

func TestVolumeRampsAndChannelMaps(t *testing.T) {
	swapped, err := ParseChannelMap("2+1")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, ostp.PCM24, swapped)
	for n := range 80 {
		r.push(n)
	}
	start := int(timebase.Frames(latency))
	r.render(start + 3000)
	out := r.render(480)
	for i := range 480 {
		left, right := r.signal(int64(3000 + i))
		if math.Abs(float64(out[2*i]-right)) > 1e-5 || math.Abs(float64(out[2*i+1]-left)) > 1e-5 {
			t.Fatalf("frame %d: %g %g, want %g %g", i, out[2*i], out[2*i+1], right, left)
		}
	}
	r.engine.SetVolume(50, false)
	mono, _ := ParseChannelMap("mono")
	r.engine.SetChannelMap(mono)
	out = r.render(6000)
	if rough := roughness(out); rough > 0.02 {
		t.Errorf("a step of %.3f while volume and map change", rough)
	}
	left, right := r.signal(3480 + 5000)
	if want := (left + right) / 2 * GainOf(50); math.Abs(float64(out[10000]-want)) > 1e-5 {
		t.Errorf("mono at volume 50: %g, want %g", out[10000], want)
	}
	r.engine.SetVolume(50, true)
	if out = r.render(2000); out[3998] != 0 {
		t.Errorf("muted output is %g", out[3998])
	}
	for _, bad := range []string{"centre", "0", "1+9", "+"} {
		if _, err := ParseChannelMap(bad); err == nil {
			t.Errorf("channel map %q is accepted", bad)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	for _, kind := range []ostp.PayloadType{ostp.PCM16, ostp.PCM24, ostp.Opus} {
		r := newRig(t, kind, ChannelMap{})
		pcm := make([]float32, packet*2)
		for i := range packet {
			pcm[2*i], pcm[2*i+1] = r.signal(int64(i))
		}
		payload, _ := r.encoder.Append(nil, pcm)
		out := make([]float32, packet*2)
		n := uint32(0)
		step := func() {
			r.engine.Push(n, n*packet, n == 0, payload, timebase.Local(n)*5e6)
			n++
			r.engine.Timeline.Card.Add(servo.Reading{Played: 400*48 + timebase.Card(n)*packet, At: 400e6 + timebase.Local(n)*5e6})
			r.engine.Render(out, r.rendered)
			r.rendered += packet
		}
		for range 500 {
			step()
		}
		if n := testing.AllocsPerRun(500, step); n != 0 {
			t.Errorf("%v: %v allocations per packet, want 0", kind, n)
		}
	}
}

// FuzzPush: whatever packets say, rendering neither panics nor runs away.
func FuzzPush(f *testing.F) {
	f.Add(uint32(1), uint32(240), []byte{1, 2, 3, 4}, uint32(0xFFFFFFFF))
	f.Fuzz(func(t *testing.T, sequence, media uint32, payload []byte, stride uint32) {
		r := newRig(t, ostp.PCM16, ChannelMap{})
		for i := range uint32(50) {
			r.engine.Push(sequence+i*stride, media+i*stride*packet, false, payload, timebase.Local(i)*1e6)
		}
		for _, s := range r.render(9600) {
			if s != s || s > 4 || s < -4 {
				t.Fatalf("sample %g", s)
			}
		}
	})
}

func BenchmarkEngine(b *testing.B) {
	t := &testing.T{}
	r := newRig(t, ostp.PCM16, ChannelMap{})
	payload := make([]byte, packet*4)
	out := make([]float32, packet*2)
	n := uint32(0)
	b.ReportAllocs()
	for b.Loop() {
		r.engine.Push(n, n*packet, n == 0, payload, timebase.Local(n)*5e6)
		n++
		r.engine.Timeline.Card.Add(servo.Reading{Played: 400*48 + timebase.Card(n)*packet, At: 400e6 + timebase.Local(n)*5e6})
		r.engine.Render(out, r.rendered)
		r.rendered += packet
	}
}

package codec

import (
	"math"
	"math/rand"
	"strings"
	"testing"

	"github.com/tutti-audio/tutti/ostp"
)

// music returns frames of something between tones, noise and decays, below
// full scale, different in each channel.
func music(frames, channels int, seed int64) []float32 {
	r := rand.New(rand.NewSource(seed))
	pcm := make([]float32, frames*channels)
	low := make([]float64, channels)
	for i := range frames {
		t := float64(i) / Rate
		decay := math.Exp(-8 * math.Mod(t, 0.5))
		for c := range channels {
			low[c] = 0.9*low[c] + 0.1*r.NormFloat64()
			f := 220 * float64(c+2)
			x := 0.2*math.Sin(2*math.Pi*f*t) + 0.1*math.Sin(6*math.Pi*f*t+1) +
				0.2*decay*math.Sin(2*math.Pi*3000*t) + 0.1*low[c]
			pcm[i*channels+c] = float32(x)
		}
	}
	return pcm
}

func mustPair(t testing.TB, p Params) (Encoder, Decoder) {
	t.Helper()
	e, err := NewEncoder(p)
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDecoder(p)
	if err != nil {
		t.Fatal(err)
	}
	return e, d
}

// transcode encodes pcm packet by packet and returns what comes out.
func transcode(t testing.TB, p Params, pcm []float32) (out []float32, bytes int) {
	t.Helper()
	e, d := mustPair(t, p)
	n := p.Frames * p.Channels
	out = make([]float32, len(pcm)/n*n)
	var payload []byte
	for at := 0; at < len(out); at += n {
		var err error
		if payload, err = e.Append(payload[:0], pcm[at:at+n]); err != nil {
			t.Fatal(err)
		}
		bytes += len(payload)
		frames, err := d.Decode(out[at:], payload)
		if err != nil || frames != p.Frames {
			t.Fatalf("decode: %d frames, %v", frames, err)
		}
	}
	return out, bytes
}

// errorRMS returns the root mean square of a-b.
func errorRMS(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	return math.Sqrt(sum / float64(len(a)))
}

func TestPCM24RoundTrip(t *testing.T) {
	pcm := music(4800, 2, 1)
	out, bytes := transcode(t, Params{Type: ostp.PCM24, Channels: 2, Frames: 48}, pcm)
	if want := 4800 * 2 * 3; bytes != want {
		t.Errorf("%d bytes, want %d", bytes, want)
	}
	for i := range out {
		if d := math.Abs(float64(out[i]) - float64(pcm[i])); d > 0.5/(1<<23) {
			t.Fatalf("sample %d off by %g", i, d)
		}
	}
}

func TestPCM16DitherIsTriangular(t *testing.T) {
	p := Params{Type: ostp.PCM16, Channels: 2, Frames: 240, Seed: 7}
	pcm := music(48000, 2, 2)
	const step = 1.0 / (1 << 15)
	out, _ := transcode(t, p, pcm)
	// Rounding alone makes 1/12 step² of noise, triangular dither adds 1/6.
	if got := errorRMS(out, pcm) / step; math.Abs(got-0.5) > 0.02 {
		t.Errorf("dithered noise %.3f steps, want 0.5", got)
	}
	p.NoDither = true
	out, _ = transcode(t, p, pcm)
	if got := errorRMS(out, pcm) / step; math.Abs(got-math.Sqrt(1.0/12)) > 0.01 {
		t.Errorf("rounding noise %.3f steps, want 0.289", got)
	}
}

// Dither must keep what rounding would lose: a level below one step.
func TestPCM16DitherKeepsQuietLevels(t *testing.T) {
	const level = 0.3 / (1 << 15)
	pcm := make([]float32, 48000)
	for i := range pcm {
		pcm[i] = level
	}
	out, _ := transcode(t, Params{Type: ostp.PCM16, Channels: 1, Frames: 480}, pcm)
	mean := 0.0
	for _, x := range out {
		mean += float64(x) / float64(len(out))
	}
	if math.Abs(mean-level) > 0.02/(1<<15) {
		t.Errorf("mean %g, want %g", mean, level)
	}
}

func TestPCM16PassesSixteenBitMaterialUnchanged(t *testing.T) {
	r := rand.New(rand.NewSource(3))
	pcm := make([]float32, 960)
	for i := range pcm {
		pcm[i] = float32(int16(r.Uint32())) / (1 << 15)
	}
	pcm[0], pcm[1], pcm[2] = -1, 32767.0/32768, 0
	out, _ := transcode(t, Params{Type: ostp.PCM16, Channels: 2, Frames: 480}, pcm)
	for i := range pcm {
		if out[i] != pcm[i] {
			t.Fatalf("sample %d: %g became %g", i, pcm[i], out[i])
		}
	}
}

func TestExtremesAreClipped(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	pcm := []float32{nan, inf, -inf, 1.5, -1.5, 3e38, 1, -1}
	want := []float64{0, 1, -1, 1, -1, 1, 1, -1}
	for _, p := range []Params{
		{Type: ostp.PCM16, NoDither: true}, {Type: ostp.PCM16}, {Type: ostp.PCM24},
	} {
		p.Channels, p.Frames = 1, len(pcm)
		out, _ := transcode(t, p, pcm)
		for i := range out {
			if math.Abs(float64(out[i])-want[i]) > 1.6/(1<<15) {
				t.Errorf("%v: %g became %g, want %g", p.Type, pcm[i], out[i], want[i])
			}
			if out[i] > 1 || out[i] < -1 {
				t.Errorf("%v: %g is beyond full scale", p.Type, out[i])
			}
		}
	}
}

func TestPCMBytesAreLittleEndian(t *testing.T) {
	for _, c := range []struct {
		p    Params
		x    float32
		want string
	}{
		{Params{Type: ostp.PCM16, Channels: 1, Frames: 1}, 0x1234 / 32768.0, "\x34\x12"},
		{Params{Type: ostp.PCM16, Channels: 1, Frames: 1}, -1, "\x00\x80"},
		{Params{Type: ostp.PCM24, Channels: 1, Frames: 1}, 0x123456 / 8388608.0, "\x56\x34\x12"},
		{Params{Type: ostp.PCM24, Channels: 1, Frames: 1}, -1.0 / 8388608, "\xff\xff\xff"},
	} {
		e, _ := mustPair(t, c.p)
		got, err := e.Append([]byte("x"), []float32{c.x})
		if err != nil || string(got) != "x"+c.want {
			t.Errorf("%v %g: % x, %v", c.p.Type, c.x, got, err)
		}
	}
}

func TestUnexpectedLengthsAreErrors(t *testing.T) {
	_, d := mustPair(t, Params{Type: ostp.PCM16, Channels: 2, Frames: 48})
	pcm := make([]float32, 96)
	for _, n := range []int{0, 1, 3, 188, 196, 12288} {
		if _, err := d.Decode(pcm, make([]byte, n)); err == nil {
			t.Errorf("%d bytes were accepted", n)
		}
	}
	if _, err := d.Decode(pcm[:95], make([]byte, 192)); err == nil {
		t.Error("a short buffer was accepted")
	}
	free, err := NewDecoder(Params{Type: ostp.PCM16, Channels: 2})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := free.Decode(pcm, make([]byte, 40)); n != 10 || err != nil {
		t.Errorf("free length: %d, %v", n, err)
	}
	if _, err := free.Decode(pcm, make([]byte, 400)); err == nil {
		t.Error("a payload larger than the buffer was accepted")
	}
}

func TestParamsThatCannotWork(t *testing.T) {
	for _, c := range []struct {
		p    Params
		want string
	}{
		{Params{Type: ostp.PCM16, Channels: 0, Frames: 48}, "1 to 8"},
		{Params{Type: ostp.PCM16, Channels: 9, Frames: 48}, "1 to 8"},
		{Params{Type: ostp.PCM16, Channels: 2, Frames: 0}, "1 to 960"},
		{Params{Type: ostp.PCM16, Channels: 2, Frames: 961}, "1 to 960"},
		{Params{Type: ostp.PCM16, Channels: 8, Frames: 960}, "shorter packet time"},
		{Params{Type: ostp.Opus, Channels: 3, Frames: 960}, "use pcm16, pcm24 or flac"},
		{Params{Type: ostp.Opus, Channels: 2, Frames: 48}, "2.5, 5, 10 or 20 ms"},
		{Params{Type: ostp.Opus, Channels: 2, Frames: 960, Bitrate: 500000}, "32000 to 320000"},
		{Params{Type: ostp.FLAC, Channels: 2, Frames: 15}, "longer packet time"},
		{Params{Type: ostp.FLAC, Channels: 2, Frames: 48, Bits: 20}, "16 or 24"},
		{Params{Type: ostp.FLAC, Channels: 8, Frames: 960}, "shorter packet time"},
		{Params{Type: 98, Channels: 2, Frames: 960}, "choose pcm16"},
	} {
		if _, err := NewEncoder(c.p); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one with %q", c.p, err, c.want)
		}
	}
	if _, err := NewDecoder(Params{Type: 98, Channels: 2}); err == nil {
		t.Error("AAC was accepted")
	}
}

func TestNames(t *testing.T) {
	for _, want := range []ostp.PayloadType{ostp.Opus, ostp.PCM16, ostp.PCM24, ostp.FLAC} {
		if got, err := ParseName(want.String()); got != want || err != nil {
			t.Errorf("%v: %v, %v", want, got, err)
		}
	}
	if _, err := ParseName("aac"); err == nil {
		t.Error("aac was accepted")
	}
}

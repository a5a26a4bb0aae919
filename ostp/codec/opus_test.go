package codec

import (
	"math"
	"testing"

	"github.com/tutti-audio/tutti/ostp"
)

func TestOpusQualityAndLookahead(t *testing.T) {
	pcm := music(Rate, 2, 4)
	for _, c := range []struct {
		frames, bitrate int
		snr             float64 // at least, in dB
	}{
		{120, 128000, 20}, {240, 128000, 21.5}, {480, 128000, 21.5}, {960, 128000, 22},
		{960, 320000, 30}, {960, 32000, 13.5}, {120, 320000, 30},
	} {
		p := Params{Type: ostp.Opus, Channels: 2, Frames: c.frames, Bitrate: c.bitrate}
		out, bytes := transcode(t, p, pcm)
		e, _ := mustPair(t, p)
		lag := e.(Lookahead).Lookahead()
		snr, best := math.Inf(-1), -1
		for l := lag - 3; l <= lag+3; l++ {
			if s := snrAt(pcm, out, l); s > snr {
				snr, best = s, l
			}
		}
		rate := bytes * 8
		t.Logf("%d frames at %d: %.1f dB, %d bit/s, lag %d", c.frames, c.bitrate, snr, rate, best)
		if best != lag {
			t.Errorf("%d frames at %d: the output lags %d frames, Lookahead says %d", c.frames, c.bitrate, best, lag)
		}
		if snr < c.snr {
			t.Errorf("%d frames at %d: %.1f dB, want %.1f", c.frames, c.bitrate, snr, c.snr)
		}
		if rate > c.bitrate*11/10+1000 {
			t.Errorf("%d frames: %d bit/s for %d", c.frames, rate, c.bitrate)
		}
	}
}

// snrAt compares stereo out, delayed by lag frames, with pcm; in dB.
func snrAt(pcm, out []float32, lag int) float64 {
	from, n := 9600, len(pcm)-19200-2*lag
	a, b := pcm[from:from+n], out[from+2*lag:from+2*lag+n]
	return 20 * math.Log10(errorRMS(a, make([]float32, n))/errorRMS(a, b))
}

// A lost packet is concealed with something like the music, and two in a row
// fade; afterwards the decoder recovers.
func TestOpusConceals(t *testing.T) {
	for _, frames := range []int{120, 240, 480, 960} {
		p := Params{Type: ostp.Opus, Channels: 1, Frames: frames, Bitrate: 96000}
		e, d := mustPair(t, p)
		n := 9600 / frames
		tone := make([]float32, frames)
		out := make([]float32, frames)
		for k := range n {
			for i := range tone {
				tone[i] = 0.5 * float32(math.Sin(2*math.Pi*500*float64(k*frames+i)/Rate))
			}
			payload, err := e.Append(nil, tone)
			if err != nil {
				t.Fatal(err)
			}
			if k == n-3 {
				got, err := d.Conceal(out, frames)
				if err != nil || got != frames {
					t.Fatalf("conceal: %d, %v", got, err)
				}
				if level := errorRMS(out, make([]float32, frames)); level < 0.2 || level > 0.5 {
					t.Errorf("%d frames: concealment at %.3f RMS, the tone has 0.354", frames, level)
				}
				continue
			}
			if _, err := d.Decode(out, payload); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := d.Conceal(out, frames+1); err == nil {
			t.Error("an odd length was accepted")
		}
	}
}

// The library treats a request for exactly its limit in a special way.
func TestOpusConcealsTheLongestPacketAfterShortOnes(t *testing.T) {
	e, d := mustPair(t, Params{Type: ostp.Opus, Channels: 2, Frames: 240})
	payload, err := e.Append(nil, music(240, 2, 1))
	if err != nil {
		t.Fatal(err)
	}
	pcm := make([]float32, 2*MaxFrames)
	if _, err := d.Decode(pcm, payload); err != nil {
		t.Fatal(err)
	}
	if n, err := d.Conceal(pcm, MaxFrames); n != MaxFrames || err != nil {
		t.Errorf("concealed %d frames, %v", n, err)
	}
}

func TestOpusRefusesOtherLengths(t *testing.T) {
	e, _ := mustPair(t, Params{Type: ostp.Opus, Channels: 2, Frames: 480})
	payload, err := e.Append(nil, music(480, 2, 1))
	if err != nil {
		t.Fatal(err)
	}
	pcm := make([]float32, 2*MaxFrames)
	for frames, ok := range map[int]bool{0: true, 480: true, 240: false, 960: false} {
		d, err := NewDecoder(Params{Type: ostp.Opus111, Channels: 2, Frames: frames})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Decode(pcm, payload); (err == nil) != ok {
			t.Errorf("a decoder for %d frames given 480: %v", frames, err)
		}
		// Empty payloads would mean "conceal" to the library.
		if _, err := d.Decode(pcm, nil); err == nil {
			t.Error("an empty payload was accepted")
		}
	}
}

// Garbage in the input must not poison the encoder for later packets.
func TestOpusSurvivesNaN(t *testing.T) {
	p := Params{Type: ostp.Opus, Channels: 2, Frames: 240}
	pcm := music(Rate, 2, 9)
	for i := 9600; i < 9700; i++ {
		pcm[i] = float32(math.NaN())
	}
	out, _ := transcode(t, p, pcm)
	for i, x := range out {
		if x != x {
			t.Fatalf("sample %d is NaN", i)
		}
	}
	if snr := snrAt(pcm[48000:], out[48000:], opusStep); snr < 14 {
		t.Errorf("%.1f dB after the damage", snr)
	}
}

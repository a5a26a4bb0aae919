package source

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// sine returns frames of a tone in all channels; from is the first frame, so
// that pieces of one tone can be made.
func sine(from, frames, channels int, hz, rate, level float64) []float32 {
	pcm := make([]float32, frames*channels)
	for i := range frames {
		x := float32(level * math.Sin(2*math.Pi*hz*float64(from+i)/rate))
		for c := range channels {
			pcm[i*channels+c] = x
		}
	}
	return pcm
}

// wavBytes makes a WAV file; tag 0xfffe makes it extensible.
func wavBytes(pcm []float32, channels, rate, bits int, tag uint16) []byte {
	var data bytes.Buffer
	sub := tag
	if tag == waveExtensible {
		sub = wavePCM
	}
	le := binary.LittleEndian
	for _, x := range pcm {
		v := math.Round(float64(x) * float64(int64(1)<<(bits-1)))
		v = max(min(v, float64(int64(1)<<(bits-1)-1)), -float64(int64(1)<<(bits-1)))
		var b []byte
		switch {
		case sub == waveFloat && bits == 32:
			b = le.AppendUint32(nil, math.Float32bits(x))
		case sub == waveFloat:
			b = le.AppendUint64(nil, math.Float64bits(float64(x)))
		case bits == 8:
			b = []byte{byte(int(v) + 128)}
		default:
			b = le.AppendUint32(nil, uint32(int32(v)))[:bits/8]
		}
		data.Write(b)
	}
	block := channels * bits / 8
	f := le.AppendUint16(nil, tag)
	f = le.AppendUint16(f, uint16(channels))
	f = le.AppendUint32(f, uint32(rate))
	f = le.AppendUint32(f, uint32(rate*block))
	f = le.AppendUint16(f, uint16(block))
	f = le.AppendUint16(f, uint16(bits))
	if tag == waveExtensible {
		f = append(le.AppendUint16(f, 22), make([]byte, 22)...)
		le.PutUint16(f[24:], sub)
	}
	out := append([]byte("RIFF\x00\x00\x00\x00WAVE"), "fmt "...)
	out = le.AppendUint32(out, uint32(len(f)))
	out = append(append(out, f...), "data"...)
	out = le.AppendUint32(out, uint32(data.Len()))
	out = append(out, data.Bytes()...)
	le.PutUint32(out[4:], uint32(len(out)-8))
	return out
}

func writeFile(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// run runs a tool of the system, or skips the test where it is missing.
func run(t testing.TB, name string, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed", name)
	}
	cmd := exec.Command(name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, stderr.Bytes())
	}
	return out
}

func mustOpen(t testing.TB, opt Options) Source {
	t.Helper()
	s, err := Open(context.Background(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// readAll reads a source to its end.
func readAll(t testing.TB, s Source) []float32 {
	t.Helper()
	var all []float32
	buf := make([]float32, 240*s.Channels())
	for {
		n, err := s.Read(buf)
		all = append(all, buf[:n*s.Channels()]...)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(all) > 60*Rate*s.Channels() {
			t.Fatal("the source does not end")
		}
	}
}

func readInputs(t testing.TB, inputs ...string) []float32 {
	t.Helper()
	return readAll(t, mustOpen(t, Options{Inputs: inputs}))
}

// purity returns THD+N of a tone in one channel, in dB: what is left when the
// best fitting sine is taken away.
func purity(pcm []float32, hz float64) float64 {
	var ss, cc, sc, sy, cy float64
	for i, x := range pcm {
		s, c := math.Sincos(2 * math.Pi * hz * float64(i) / Rate)
		y := float64(x)
		ss, cc, sc = ss+s*s, cc+c*c, sc+s*c
		sy, cy = sy+s*y, cy+c*y
	}
	det := ss*cc - sc*sc
	a, b := (sy*cc-cy*sc)/det, (cy*ss-sy*sc)/det
	signal, rest := 0.0, 0.0
	for i, x := range pcm {
		s, c := math.Sincos(2 * math.Pi * hz * float64(i) / Rate)
		fit := a*s + b*c
		signal += fit * fit
		rest += (float64(x) - fit) * (float64(x) - fit)
	}
	return 10 * math.Log10(rest/signal)
}

// channel returns one channel of interleaved audio.
func channel(pcm []float32, c, channels int) []float32 {
	one := make([]float32, 0, len(pcm)/channels)
	for i := c; i < len(pcm); i += channels {
		one = append(one, pcm[i])
	}
	return one
}

// purityNear is purity at the pitch that fits best, within ±600 ppm: slow
// steering moves the pitch a little, which is not distortion.
func purityNear(pcm []float32, hz float64) float64 {
	low, high := hz*(1-600e-6), hz*(1+600e-6)
	for range 25 {
		a, b := low+(high-low)/3, high-(high-low)/3
		if purity(pcm, a) < purity(pcm, b) {
			high = b
		} else {
			low = a
		}
	}
	return purity(pcm, (low+high)/2)
}

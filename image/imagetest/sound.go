package imagetest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"

	"github.com/tutti-audio/tutti/internal/measure"
)

const (
	rate      = 48000
	wavHeader = 44
	window    = 1 << 16 // what a tone is judged by: 1.4 s
)

// Heard reads the left channel of what a sound card has played from a frame on; the
// file may still grow.
func Heard(path string, from int) ([]float32, error) {
	b, err := os.ReadFile(path)
	if err != nil || len(b) < wavHeader+4*from {
		return nil, err
	}
	b = b[wavHeader+4*from:]
	samples := make([]float32, len(b)/4)
	for i := range samples {
		samples[i] = float32(int16(binary.LittleEndian.Uint16(b[4*i:]))) / (1 << 15)
	}
	return samples, nil
}

// Sounds reports whether there is anything but silence.
func Sounds(samples []float32) error {
	const audible = 1e-3
	for _, x := range samples {
		if math.Abs(float64(x)) > audible {
			return nil
		}
	}
	return fmt.Errorf("silence, in %.1f s", float64(len(samples))/rate)
}

// Tone is a tone's level in dB of full scale, and all that is not the tone in dB
// below it.
type Tone struct{ Level, Rest float64 }

// FindTone judges the best second and a half: the emulator's sound card has breaks
// of its own.
func FindTone(samples []float32, hz float64) (best Tone, err error) {
	best.Rest = math.Inf(1)
	for i := 0; i+window <= len(samples); i += window / 4 {
		part := samples[i : i+window]
		sum := 0.0
		for _, x := range part {
			sum += float64(x) * float64(x)
		}
		rest, err := measure.Purity(part, rate, hz)
		if level := 10 * math.Log10(2*sum/window); err == nil && rest < best.Rest {
			best = Tone{Level: level, Rest: rest}
		}
	}
	if math.IsInf(best.Rest, 1) {
		return best, errors.New("no tone at all, or less than 1.4 s of it")
	}
	return best, nil
}

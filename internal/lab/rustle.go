package main

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"time"
)

// writeRustle writes a WAV file of noise, 48 kHz, 16 bits, two equal channels, without
// much above 4 kHz: each moment of it is like no other, so that a recording shows what
// was left out or came twice. It returns one channel.
func writeRustle(path string, seed uint64, length time.Duration) ([]float32, error) {
	const rate = 48000
	n := int(length.Seconds() * rate)
	rng := rand.New(rand.NewPCG(seed, 7))
	samples, pcm := make([]float32, n), make([]byte, 0, 4*n)
	var a, b float64
	for i := range samples {
		a += 0.2 * (rng.NormFloat64() - a)
		b += 0.2 * (a - b)
		v := int16(max(-32767, min(32767, 24000*b)))
		samples[i] = float32(v) / 32768
		for range 2 {
			pcm = binary.LittleEndian.AppendUint16(pcm, uint16(v))
		}
	}
	var w bytes.Buffer
	w.WriteString("RIFF")
	for _, field := range []any{
		uint32(36 + len(pcm)), []byte("WAVEfmt "), uint32(16), uint16(1), uint16(2), uint32(rate), uint32(4 * rate), uint16(4), uint16(16), []byte("data"), uint32(len(pcm)), pcm,
	} {
		if err := binary.Write(&w, binary.LittleEndian, field); err != nil {
			return nil, err
		}
	}
	return samples, os.WriteFile(path, w.Bytes(), 0o644)
}

package output

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math"
	"os"

	"github.com/tutti-audio/tutti/sync/timebase"
)

// recorder writes what a DAC played as a 24-bit WAV file, and beside it, in
// FILE.instants, lines "frame nanoseconds": when that frame left the DAC, in
// CLOCK_MONOTONIC. The header is kept true once a second, so that a killed
// process leaves a file that plays.
type recorder struct {
	wav      *os.File
	buffer   *bufio.Writer
	instants *bufio.Writer
	side     *os.File
	rate     int
	frames   int
	instant  func(timebase.Card) int64
	scratch  []byte
	err      error
}

const wavHeader = 44

func newRecorder(path string, rate int, instant func(timebase.Card) int64) (*recorder, error) {
	wav, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("cannot record: %w", err)
	}
	side, err := os.Create(path + ".instants")
	if err != nil {
		wav.Close()
		return nil, fmt.Errorf("cannot record: %w", err)
	}
	r := &recorder{wav: wav, side: side, rate: rate, instant: instant,
		buffer: bufio.NewWriterSize(wav, 1<<18), instants: bufio.NewWriter(side)}
	_, r.err = r.buffer.Write(r.header())
	return r, r.err
}

// header is the RIFF header for the frames written so far.
func (r *recorder) header() []byte {
	const longest = math.MaxUint32 // of what RIFF can say; players read on
	data := int64(r.frames) * Channels * 3
	h := make([]byte, 0, wavHeader)
	h = append(h, "RIFF"...)
	h = binary.LittleEndian.AppendUint32(h, uint32(min(data+wavHeader-8, longest)))
	h = append(h, "WAVEfmt "...)
	h = binary.LittleEndian.AppendUint32(h, 16)
	h = binary.LittleEndian.AppendUint16(h, 1) // integer PCM
	h = binary.LittleEndian.AppendUint16(h, Channels)
	h = binary.LittleEndian.AppendUint32(h, uint32(r.rate))
	h = binary.LittleEndian.AppendUint32(h, uint32(r.rate*Channels*3))
	h = binary.LittleEndian.AppendUint16(h, Channels*3)
	h = binary.LittleEndian.AppendUint16(h, 24)
	h = append(h, "data"...)
	return binary.LittleEndian.AppendUint32(h, uint32(min(data, longest)))
}

func (r *recorder) write(pcm []float32) {
	r.scratch = r.scratch[:0]
	for i, s := range pcm {
		if i%Channels == 0 {
			r.mark()
			r.frames++
		}
		v := int32(math.Round(float64(min(max(s, -1), 1)) * (1<<23 - 1)))
		r.scratch = append(r.scratch, byte(v), byte(v>>8), byte(v>>16))
	}
	r.keep(r.buffer.Write(r.scratch))
}

// mark notes the instant ten times a second and keeps the header true.
func (r *recorder) mark() {
	if r.frames%(r.rate/10) != 0 {
		return
	}
	r.keep(fmt.Fprintf(r.instants, "%d %d\n", r.frames, r.instant(timebase.Card(r.frames))))
	if r.frames%r.rate == 0 {
		r.keep(0, r.buffer.Flush())
		r.keep(0, r.instants.Flush())
		r.keep(r.wav.WriteAt(r.header(), 0))
	}
}

func (r *recorder) keep(_ int, err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *recorder) close() error {
	r.keep(0, r.buffer.Flush())
	r.keep(0, r.instants.Flush())
	r.keep(r.wav.WriteAt(r.header(), 0))
	r.keep(0, r.wav.Close())
	r.keep(0, r.side.Close())
	return r.err
}

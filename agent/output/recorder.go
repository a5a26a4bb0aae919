package output

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"sync/atomic"

	"github.com/tutti-audio/tutti/sync/timebase"
)

// recorder writes what a DAC played as a 24-bit WAV file, and beside it, in
// FILE.instants, lines "frame nanoseconds": when that frame left the DAC, in
// CLOCK_MONOTONIC. The header is kept true once a second, so that a killed
// process leaves a file that plays.
//
// The audio thread only hands copies over; a goroutine does the writing, since a
// disk may hold a writer up for longer than a card's queue lasts.
type recorder struct {
	free   chan *chunk // to be filled by the audio thread
	filled chan *chunk
	done   chan struct{}
	failed atomic.Pointer[error]

	// The goroutine's own.
	wav      *os.File
	buffer   *bufio.Writer
	instants *bufio.Writer
	side     *os.File
	rate     int
	frames   int
	instant  func(timebase.Card) int64
	scratch  []byte
}

// chunk is audio on its way to the disk.
type chunk struct {
	pcm [chunkFrames * Channels]float32
	n   int // samples
}

const (
	wavHeader   = 44
	chunkFrames = 1024
	chunks      = 256 // 5 s at 48 kHz
)

var errDiskSlow = errors.New("the disk is too slow")

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
		buffer: bufio.NewWriterSize(wav, 1<<18), instants: bufio.NewWriter(side),
		free: make(chan *chunk, chunks), filled: make(chan *chunk, chunks), done: make(chan struct{})}
	for range chunks {
		r.free <- new(chunk)
	}
	r.keep(r.buffer.Write(r.header()))
	go r.run()
	return r, nil
}

// write hands a copy over. It does not block.
func (r *recorder) write(pcm []float32) {
	for len(pcm) > 0 {
		select {
		case c := <-r.free:
			c.n = copy(c.pcm[:], pcm)
			pcm = pcm[c.n:]
			r.filled <- c // has room for all chunks
		default:
			r.fail(errDiskSlow)
			return
		}
	}
}

// error returns what went wrong, if anything did.
func (r *recorder) error() error {
	if e := r.failed.Load(); e != nil {
		return *e
	}
	return nil
}

func (r *recorder) fail(err error) { r.failed.CompareAndSwap(nil, &err) }

// run writes until close.
func (r *recorder) run() {
	defer close(r.done)
	for c := range r.filled {
		r.store(c.pcm[:c.n])
		r.free <- c
	}
	r.keep(0, r.buffer.Flush())
	r.keep(0, r.instants.Flush())
	r.keep(r.wav.WriteAt(r.header(), 0))
	r.keep(0, r.wav.Close())
	r.keep(0, r.side.Close())
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

func (r *recorder) store(pcm []float32) {
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
	if err != nil {
		r.fail(err)
	}
}

// close writes what was handed over and waits.
func (r *recorder) close() error {
	close(r.filled)
	<-r.done
	return r.error()
}

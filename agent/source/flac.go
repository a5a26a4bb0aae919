package source

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/mewkiz/flac"
	"github.com/mewkiz/flac/frame"
)

// flacDecoder reads a FLAC stream.
type flacDecoder struct {
	stream   *flac.Stream
	channels int
	cur      *frame.Frame
	used     int // frames of cur
}

// newFLAC opens the FLAC stream that begins at an offset of the file.
func newFLAC(file *os.File, start int64) (*track, error) {
	r := io.NewSectionReader(file, start, math.MaxInt64-start)
	stream, err := flac.New(bufio.NewReaderSize(r, 1<<16))
	if err != nil {
		return nil, fmt.Errorf("damaged FLAC file: %w", noEOF(err))
	}
	channels := int(stream.Info.NChannels)
	return &track{
		decoder: &flacDecoder{stream: stream, channels: channels},
		rate:    int(stream.Info.SampleRate), channels: channels,
		frames: int64(min(stream.Info.NSamples, 1<<40)),
	}, nil
}

// noEOF turns an early end into an error that cannot be taken for a regular one.
func noEOF(err error) error {
	if eof(err) {
		return errors.New("the file ends too early")
	}
	return err
}

func (d *flacDecoder) read(dst []float32) (int, error) {
	if d.cur == nil || d.used == len(d.cur.Subframes[0].Samples) {
		f, err := d.stream.ParseNext()
		if err != nil {
			return 0, err
		}
		if len(f.Subframes) != d.channels || f.BitsPerSample == 0 {
			return 0, fmt.Errorf("damaged FLAC file: %d channels become %d", d.channels, len(f.Subframes))
		}
		d.cur, d.used = f, 0
	}
	scale := 1 / float32(int64(1)<<(d.cur.BitsPerSample-1))
	n := min(len(dst)/d.channels, len(d.cur.Subframes[0].Samples)-d.used)
	for c, sub := range d.cur.Subframes {
		for i, x := range sub.Samples[d.used : d.used+n] {
			dst[i*d.channels+c] = float32(x) * scale
		}
	}
	d.used += n
	return n, nil
}

package source

import (
	"fmt"
	"os"

	"github.com/jfreymuth/oggvorbis"
)

// surroundOrder returns where to find each channel in audio that is in Vorbis
// order (RFC 7845 section 5.1.1.2); nil where the orders agree.
func surroundOrder(channels int) []int {
	return map[int][]int{
		3: {0, 2, 1},
		5: {0, 2, 1, 3, 4},
		6: {0, 2, 1, 5, 3, 4},
		7: {0, 2, 1, 6, 5, 3, 4},
		8: {0, 2, 1, 7, 5, 6, 3, 4},
	}[channels]
}

// reorder puts the channels of whole frames into place.
func reorder(pcm []float32, order []int) {
	if order == nil {
		return
	}
	var frame [maxChannels]float32
	for ; len(pcm) >= len(order); pcm = pcm[len(order):] {
		copy(frame[:], pcm[:len(order)])
		for c, from := range order {
			pcm[c] = frame[from]
		}
	}
}

// vorbisDecoder reads Ogg Vorbis.
type vorbisDecoder struct {
	r     *oggvorbis.Reader
	order []int
}

func newVorbis(file *os.File) (*track, error) {
	head, err := readHead(file, 0)
	if err != nil {
		return nil, err
	}
	r, err := oggvorbis.NewReader(file)
	if channels := head[39]; err != nil && channels > 2 {
		// The library fails on the set-up of some surround streams.
		return nil, fmt.Errorf("cannot play %d channels of Ogg Vorbis (%w): convert it to FLAC or Ogg Opus", channels, noEOF(err))
	}
	if err != nil {
		return nil, fmt.Errorf("damaged Ogg Vorbis file: %w", noEOF(err))
	}
	channels := r.Channels()
	return &track{
		decoder: &vorbisDecoder{r: r, order: surroundOrder(channels)},
		rate:    r.SampleRate(), channels: channels, frames: max(r.Length(), 0),
	}, nil
}

func (d *vorbisDecoder) read(dst []float32) (int, error) {
	n, err := d.r.Read(dst)
	reorder(dst[:n], d.order)
	return n / d.r.Channels(), err
}

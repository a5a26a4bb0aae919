package source

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/thesyncim/gopus"
	"github.com/thesyncim/gopus/container/ogg"
)

// opusLongest is the longest Opus packet: 120 ms.
const opusLongest = 5760

// opusDecoder reads Ogg Opus (RFC 7845), always at 48 kHz.
type opusDecoder struct {
	packets  *oggReader
	dec      *gopus.MultistreamDecoder
	channels int
	order    []int
	gain     float32
	skip     int64 // frames to drop first
	decoded  int64 // frames so far, dropped ones included
	onPage   int64 // of them on the current page
	origin   int64 // granule position of the first frame
	known    bool  // origin
	pcm      []float32
	pending  []float32
}

func newOpus(file *os.File) (*track, error) {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	d := &opusDecoder{packets: newOggReader(file)}
	head, err := d.header()
	if err != nil {
		return nil, fmt.Errorf("damaged Ogg Opus file: %w", noEOF(err))
	}
	d.channels, d.skip = int(head.Channels), int64(head.PreSkip)
	d.gain = float32(math.Pow(10, float64(head.OutputGain)/256/20))
	if head.MappingFamily == 1 {
		d.order = surroundOrder(d.channels)
	}
	d.pcm = make([]float32, opusLongest*d.channels)
	frames := max(lastGranule(file)-d.skip, 0)
	return &track{decoder: d, rate: Rate, channels: d.channels, frames: frames}, nil
}

// header reads the two packets before the audio and opens the decoder.
func (d *opusDecoder) header() (*ogg.OpusHead, error) {
	b, _, err := d.packets.readPacket()
	if err != nil {
		return nil, err
	}
	head, err := ogg.ParseOpusHead(b)
	if err != nil {
		return nil, err
	}
	if head.Channels > maxChannels || head.MappingFamily > 1 && head.MappingFamily != 255 {
		return nil, fmt.Errorf("%d channels of mapping family %d: Tutti plays up to 8 of family 0, 1 or 255", head.Channels, head.MappingFamily)
	}
	streams, coupled, mapping := int(head.StreamCount), int(head.CoupledCount), head.ChannelMapping
	if head.MappingFamily == 0 {
		streams, coupled, mapping = 1, int(head.Channels)-1, []byte{0, 1}[:head.Channels]
	}
	if d.dec, err = gopus.NewMultistreamDecoder(Rate, int(head.Channels), streams, coupled, mapping); err != nil {
		return nil, err
	}
	b, _, err = d.packets.readPacket()
	if err != nil {
		return nil, err
	}
	if len(b) < 8 || string(b[:8]) != "OpusTags" {
		return nil, errors.New("the comment header is missing")
	}
	return head, nil
}

func (d *opusDecoder) read(dst []float32) (int, error) {
	for len(d.pending) == 0 {
		if err := d.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(dst[:len(dst)/d.channels*d.channels], d.pending)
	d.pending = d.pending[n:]
	return n / d.channels, nil
}

// fill decodes one packet and cuts off what lies outside the stream.
func (d *opusDecoder) fill() error {
	b, ends, err := d.packets.readPacket()
	if err != nil {
		return err
	}
	if len(b) == 0 {
		return nil // would mean "lost" to the decoder
	}
	n, err := d.dec.Decode(b, d.pcm)
	if err != nil {
		return fmt.Errorf("damaged Ogg Opus file: %w", err)
	}
	d.decoded += int64(n)
	d.onPage += int64(n)
	page := &d.packets.page
	if ends && page.granule >= 0 {
		if !d.known && !page.last {
			d.origin = page.granule - d.onPage
		}
		d.known = true
	}
	keep := int64(n)
	if page.last {
		keep = max(min(keep, page.granule-d.origin-(d.decoded-int64(n))), 0)
	}
	drop := min(d.skip, keep)
	d.skip -= drop
	d.pending = d.pcm[drop*int64(d.channels) : keep*int64(d.channels)]
	reorder(d.pending, d.order)
	for i := range d.pending {
		d.pending[i] *= d.gain
	}
	return nil
}

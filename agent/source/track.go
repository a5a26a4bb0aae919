package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// decoder reads audio at the file's own rate and channels.
type decoder interface {
	// read fills dst with whole frames, or some of it, and returns the frames
	// written; io.EOF at the end.
	read(dst []float32) (frames int, err error)
}

// track is an open audio file.
type track struct {
	decoder
	rate, channels int
	frames         int64 // at rate; 0 is unknown
	tags           Tags
	file           *os.File
}

// errUnknown means that a file is of no kind that can be played.
var errUnknown = errors.New("not WAV, FLAC, MP3, Ogg Vorbis or Ogg Opus")

// sniffSize is how much of a file decides what it is, in bytes.
const sniffSize = 64

// kind names what the beginning of a file shows it to be.
type kind uint8

const (
	kindUnknown kind = iota
	kindWAV
	kindFLAC
	kindMP3
	kindVorbis
	kindOpus
	kindPLS
	kindM3U
)

// sniff recognises a file by its first bytes.
func sniff(b []byte) kind {
	at := func(i int, s string) bool { return len(b) >= i+len(s) && string(b[i:i+len(s)]) == s }
	switch {
	case (at(0, "RIFF") || at(0, "RF64")) && at(8, "WAVE"):
		return kindWAV
	case at(0, "fLaC"):
		return kindFLAC
	case at(0, "OggS") && at(28, "\x01vorbis") && len(b) > 39:
		return kindVorbis
	case at(0, "OggS") && at(28, "OpusHead"):
		return kindOpus
	case at(0, "ID3"):
		return kindMP3 // or FLAC behind an ID3 tag: see openTrack
	case bytes.HasPrefix(bytes.ToLower(trimBOM(b)), []byte("[playlist]")):
		return kindPLS
	case bytes.HasPrefix(trimBOM(b), []byte("#EXTM3U")):
		return kindM3U
	}
	if len(b) >= 4 && parseMP3Header(b).ok() {
		return kindMP3
	}
	return kindUnknown
}

func trimBOM(b []byte) []byte { return bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")) }

// openTrack opens an audio file. Where the content is not recognised and raw is
// set, the file is raw PCM of that format.
func openTrack(path string, raw *rawFormat) (t *track, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s is damaged: the decoder failed with %v", path, p)
		}
		if err != nil {
			_ = file.Close()
		}
	}()
	head, err := readHead(file, 0)
	if err != nil {
		return nil, err
	}
	if t, err = newTrack(file, head, raw); err != nil {
		return nil, describe(path, err)
	}
	if t.rate < 8000 || t.rate > 384000 || t.channels < 1 || t.channels > maxChannels {
		return nil, fmt.Errorf("%s has %d channels at %d Hz: Tutti plays 1 to 8 channels at 8000 to 384000 Hz", path, t.channels, t.rate)
	}
	t.file = file
	t.tags.Duration = duration(t.frames, t.rate)
	return t, nil
}

// newTrack chooses the decoder for a file that begins with head.
func newTrack(file *os.File, head []byte, raw *rawFormat) (*track, error) {
	start := int64(0)
	k := sniff(head)
	if k == kindMP3 && string(head[:3]) == "ID3" {
		start = id3Size(head)
		rest, err := readHead(file, start)
		if err != nil {
			return nil, err
		}
		if k = sniff(rest); k != kindFLAC {
			k = kindMP3
		}
	}
	t, err := newDecoder(file, k, start)
	if errors.Is(err, errUnknown) && raw != nil {
		return newRaw(file, *raw)
	}
	if err != nil {
		return nil, err
	}
	t.tags = readTags(file, k, start)
	return t, nil
}

func newDecoder(file *os.File, k kind, start int64) (*track, error) {
	switch k {
	case kindWAV:
		return newWAV(file)
	case kindFLAC:
		return newFLAC(file, start)
	case kindMP3:
		return newMP3(file, start)
	case kindVorbis:
		return newVorbis(file)
	case kindOpus:
		return newOpus(file)
	}
	return nil, errUnknown
}

// readHead returns up to sniffSize bytes at an offset of the file.
func readHead(file *os.File, offset int64) ([]byte, error) {
	head := make([]byte, sniffSize)
	n, err := file.ReadAt(head, offset)
	if err != nil && !eof(err) {
		return nil, err
	}
	return head[:n], nil
}

// describe names the file in an error and says what to do.
func describe(path string, err error) error {
	if errors.Is(err, errUnknown) {
		return fmt.Errorf("%s is %w; for raw PCM name its --format, e.g. s16le:48000:2", path, err)
	}
	return fmt.Errorf("%s: %w", path, err)
}

// read shields the player from decoders that panic on damaged files.
func (t *track) read(dst []float32) (frames int, err error) {
	defer func() {
		if p := recover(); p != nil {
			frames, err = 0, fmt.Errorf("damaged file: the decoder failed with %v", p)
		}
	}()
	return t.decoder.read(dst)
}

func (t *track) close() error { return t.file.Close() }

// rawDecoder reads samples of one encoding.
type rawDecoder struct {
	r   io.Reader
	fmt rawFormat
	buf []byte
}

// newRaw reads a whole file as raw PCM.
func newRaw(file *os.File, f rawFormat) (*track, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	frames := info.Size() / int64(f.frameBytes())
	return &track{decoder: &rawDecoder{r: file, fmt: f}, rate: f.rate, channels: f.channels, frames: frames}, nil
}

func (d *rawDecoder) read(dst []float32) (int, error) {
	frame := d.fmt.frameBytes()
	want := min(len(dst)/d.fmt.channels, 4096) * frame
	if cap(d.buf) < want {
		d.buf = make([]byte, want)
	}
	n, err := io.ReadFull(d.r, d.buf[:want])
	frames := n / frame
	d.fmt.enc.append(dst[:0], d.buf[:frames*frame])
	if frames > 0 {
		return frames, nil
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return 0, err
}

// Package source reads what `tutti send` plays: audio files and playlists, raw
// PCM from stdin or a FIFO, ALSA and PulseAudio capture, and the built-in tone and
// tune.
//
// Whatever goes in, interleaved float32 at 48 kHz comes out, full scale ±1.0,
// channels in the order of WAVE_FORMAT_EXTENSIBLE (left, right, centre, LFE,
// back or side pairs). Lengths are in frames unless a name says otherwise.
//
// Files are decoded ahead in a goroutine of their own, live inputs are taken in
// by one; each source owns its goroutine and its Close waits for it. A source
// is read by one goroutine; Close and Status may be called from others.
package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/tutti-audio/tutti/alsa"
)

// Rate is the rate of everything a source yields, in frames per second.
const Rate = 48000

// maxChannels is the most channels a stream carries.
const maxChannels = 8

// Source yields audio. It is not safe for concurrent use, except for Status and
// for Close, which unblocks Read.
type Source interface {
	// Channels returns the number of channels, 1 to 8; it never changes.
	Channels() int
	// Read fills dst, whole frames, and returns the frames it wrote. It writes
	// fewer only at the end, and returns io.EOF when nothing is left. Live
	// inputs never wait: what is missing is silence.
	Read(dst []float32) (frames int, err error)
	// Status tells what is playing.
	Status() Status
	// Close releases the input.
	Close() error
}

// Tags describe a piece of audio; what is unknown is empty.
type Tags struct {
	Title, Artist, Album string
	Artwork              []byte // at most 1 MiB
	ArtworkType          string // media type, such as image/jpeg
	Duration             time.Duration
}

// Status is a moment of a source.
type Status struct {
	Input   string // path or name of what is playing
	Index   int    // of the playlist's entry, from 0
	Count   int    // entries of the playlist
	Elapsed time.Duration
	Tags    Tags
	Skipped int         // entries that could not be played so far
	Live    *LiveStatus // nil unless the input is live
}

// LiveStatus is the state of a live input.
type LiveStatus struct {
	Connected bool          // a writer or server is there
	Playing   bool          // false while it yields silence for lack of data
	Fill      time.Duration // audio waiting
	PPM       float64       // steering of the resampler, positive when the input is fast
	Underruns uint64        // times the input ran dry
	Overruns  uint64        // times old audio was dropped
	Dropped   uint64        // input frames dropped
}

// Options tells Open what to read.
type Options struct {
	// Inputs are files, directories and playlists, or exactly one of: "-" for
	// stdin, a FIFO, "alsa:DEVICE", "pulse[:NAME]", "pulse:monitor",
	// "tone[:HZ[:DBFS]]", "tune", "silence".
	Inputs []string
	// Loop begins again after the last file.
	Loop bool
	// Format of raw PCM, such as s16le:48000:2; empty where there is none.
	Format string
	// Channels to yield, 0 for as many as the (first) input has. Fewer are
	// mixed down and more are filled up as newMixer says.
	Channels int
	Log      *slog.Logger // nil discards
}

// Open opens the inputs. It fails when none of them can be played; the context
// bounds the opening, not the source's life.
func Open(ctx context.Context, opt Options) (Source, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Channels < 0 || opt.Channels > maxChannels {
		return nil, fmt.Errorf("%d channels: choose 1 to %d, or 0 for those of the input", opt.Channels, maxChannels)
	}
	if len(opt.Inputs) == 0 {
		return nil, errors.New("no input: name a file, a playlist, - for stdin, alsa:DEVICE, pulse, tone or tune")
	}
	for _, in := range opt.Inputs {
		if !isSingle(in) {
			continue
		}
		if len(opt.Inputs) > 1 {
			return nil, fmt.Errorf("input %q cannot be combined with others: give it alone", in)
		}
		return openSingle(ctx, in, opt)
	}
	return openQueue(ctx, opt)
}

// isSingle tells inputs that must stand alone from files and playlists.
func isSingle(in string) bool {
	kind, _, _ := strings.Cut(in, ":")
	switch kind {
	case "-", "tune", "silence", "tone", "pulse", "alsa":
		return true
	}
	info, err := os.Stat(in)
	return err == nil && info.Mode()&os.ModeNamedPipe != 0
}

// openSingle opens an input that stands alone.
func openSingle(ctx context.Context, in string, opt Options) (Source, error) {
	kind, rest, _ := strings.Cut(in, ":")
	switch kind {
	case "tone":
		return newTone(in, rest, opt.Channels)
	case "tune", "silence":
		if rest != "" {
			return nil, fmt.Errorf("input %q: %s takes no argument", in, kind)
		}
		if kind == "tune" {
			return newGenerated(in, "Four Rooms", newTune(), opt.Channels), nil
		}
		return newGenerated(in, "Silence", silence{}, opt.Channels), nil
	}
	if kind == "alsa" {
		return openALSA(alsa.Linux{}, in, rest, opt)
	}
	if kind == "pulse" {
		return openPulse(ctx, in, rest, opt)
	}
	return openPipe(in, opt)
}

// eof tells the regular end of an input from a failure.
func eof(err error) bool { return errors.Is(err, io.EOF) }

package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/tutti-audio/tutti/sync/resample"
)

// queue plays files one after the other without a gap: as long as they share a
// rate, their frames pass through one converter as one stream.
type queue struct {
	entries []string
	raw     *rawFormat
	loop    bool
	log     *slog.Logger

	next     int    // entry to open
	cur      *track // playing, or nil between entries
	waiting  *track // of another rate; begins when the converter is empty
	mix      *mixer
	channels int
	rate     int                 // that conv was made for
	conv     *resample.Converter // nil while files are at 48 kHz
	decoded  []float32           // buffer
	mixed    []float32           // buffer
	pending  []float32           // of mixed, not yet taken

	status  Status
	played  int64        // output frames of the current entry
	useful  bool         // some entry of this round gave audio
	warned  map[int]bool // entries already logged as unplayable
	lastErr error        // of the last unplayable entry
}

// openQueue expands the inputs, opens the first file that can be played and
// starts decoding.
func openQueue(ctx context.Context, opt Options) (Source, error) {
	q := &queue{loop: opt.Loop, log: opt.Log, channels: opt.Channels, warned: map[int]bool{}}
	if opt.Format != "" {
		f, err := parseFormat(opt.Format)
		if err != nil {
			return nil, err
		}
		q.raw = &f
	}
	var err error
	if q.entries, err = expand(ctx, opt.Inputs); err != nil {
		return nil, err
	}
	q.status.Count = len(q.entries)
	first, err := q.openNext()
	if err != nil {
		if len(q.entries) == 1 && q.lastErr != nil {
			return nil, q.lastErr
		}
		return nil, fmt.Errorf("none of %d inputs can be played; the last one: %w", len(q.entries), q.lastErr)
	}
	if q.channels == 0 {
		q.channels = first.channels
	}
	q.begin(first)
	return newAhead(q), nil
}

func (q *queue) Channels() int { return q.channels }

func (q *queue) Status() Status {
	s := q.status
	s.Elapsed = duration(q.played, Rate)
	return s
}

// Close is called when nothing reads any more.
func (q *queue) Close() error {
	var err error
	for _, t := range []*track{q.cur, q.waiting} {
		if t != nil {
			err = errors.Join(err, t.close())
		}
	}
	q.cur, q.waiting = nil, nil
	return err
}

func (q *queue) Read(dst []float32) (int, error) {
	want := len(dst) / q.channels
	for n := 0; n < want; {
		room := dst[n*q.channels : want*q.channels]
		k, err := q.produce(room)
		n += k
		q.played += int64(k)
		if err != nil {
			if n > 0 && eof(err) {
				return n, nil
			}
			return n, err
		}
	}
	return want, nil
}

// produce writes some frames to dst; it may return 0 without an error.
func (q *queue) produce(dst []float32) (int, error) {
	if len(q.pending) > 0 {
		n, used := q.convert(dst, q.pending)
		q.pending = q.pending[used*q.channels:]
		return n, nil
	}
	if q.waiting != nil {
		return q.drain(dst)
	}
	if q.cur != nil {
		q.decode()
		return 0, nil
	}
	t, err := q.openNext()
	if err != nil {
		return q.finish(dst, err)
	}
	q.begin(t)
	return 0, nil
}

// convert brings frames to 48 kHz.
func (q *queue) convert(dst, src []float32) (written, used int) {
	if q.conv == nil {
		n := copy(dst, src) / q.channels
		return n, n
	}
	return q.conv.Process(dst, src)
}

// decode fills pending from the current track, or ends it.
func (q *queue) decode() {
	const block = 1024
	if need := block * q.cur.channels; cap(q.decoded) < need {
		q.decoded = make([]float32, need)
	}
	n, err := q.cur.read(q.decoded[:block*q.cur.channels])
	q.mixed = q.mix.append(q.mixed[:0], q.decoded[:n*q.cur.channels])
	q.pending = q.mixed
	q.useful = q.useful || n > 0
	if err == nil {
		return
	}
	if !eof(err) {
		q.status.Skipped++
		q.log.Warn("the rest of the file is skipped", "file", q.status.Input, "error", err)
	}
	if err := q.cur.close(); err != nil {
		q.log.Warn("close file", "file", q.status.Input, "error", err)
	}
	q.cur = nil
}

// begin makes t the current track, at once if the converter can go on with it.
func (q *queue) begin(t *track) {
	if q.conv != nil && t.rate != q.rate {
		q.waiting = t
		return
	}
	if q.conv == nil && t.rate != Rate {
		q.conv = resample.NewConverter(t.rate, Rate, q.channels)
	}
	q.rate, q.cur, q.played = t.rate, t, 0
	q.mix = newMixer(t.channels, q.channels)
	q.status.Index = (q.next - 1 + len(q.entries)) % len(q.entries)
	q.status.Input, q.status.Tags = q.entries[q.status.Index], t.tags
}

// drain empties the converter before a track of another rate begins.
func (q *queue) drain(dst []float32) (int, error) {
	n := q.conv.Flush(dst)
	if n < len(dst)/q.channels {
		t := q.waiting
		q.waiting, q.conv = nil, nil
		q.begin(t)
	}
	return n, nil
}

// finish empties the converter at the very end and then returns err.
func (q *queue) finish(dst []float32, err error) (int, error) {
	if q.conv == nil {
		return 0, err
	}
	n := q.conv.Flush(dst)
	if n < len(dst)/q.channels {
		q.conv = nil
	}
	return n, nil
}

// openNext opens the next entry that can be played. It returns io.EOF after the
// last one, and an error when a whole round gave nothing.
func (q *queue) openNext() (*track, error) {
	for range 2 * len(q.entries) {
		if q.next == len(q.entries) {
			if !q.loop || !q.useful {
				break
			}
			q.next, q.useful = 0, false
		}
		path := q.entries[q.next]
		q.next++
		t, err := openTrack(path, q.raw)
		if err == nil {
			return t, nil
		}
		q.skip(q.next-1, err)
	}
	return nil, io.EOF
}

// skip counts an entry that cannot be played, and logs it the first time.
func (q *queue) skip(index int, err error) {
	q.status.Skipped++
	q.lastErr = err
	if !q.warned[index] {
		q.warned[index] = true
		q.log.Warn("skipped", "entry", index+1, "of", len(q.entries), "error", err)
	}
}

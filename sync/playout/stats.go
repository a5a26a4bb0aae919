package playout

import "time"

// Stats counts what became of packets and frames since the engine was made.
type Stats struct {
	Packets   [verdicts]uint64 // by verdict
	Lost      uint64           // packets that never came in time
	Damaged   uint64           // packets the decoder refused
	Concealed uint64           // frames made up
	Jumps     uint64           // discontinuities of the timeline
	Buffered  time.Duration    // decoded and undecoded audio at hand
	Margin    time.Duration    // how long before its instant the last packet came
}

func (s *Stats) count(v Verdict) { s.Packets[v]++ }

// Stats returns the counters.
func (e *Engine) Stats() Stats {
	s := e.stats
	s.Jumps = uint64(e.Timeline.Jumps())
	frames := float64(e.buffer.count * e.format.Codec.Frames)
	if e.last.Frames > 0 && e.buffer.started {
		frames += max(0, float64(e.window.end)-e.last.Track.At(e.last.Frames).Pos)
	}
	s.Buffered = time.Duration(frames / 48000 * 1e9)
	return s
}

// Playing reports whether the stream's packets are being played now.
func (e *Engine) Playing() bool { return e.decoder != nil && e.buffer.started && e.starved == 0 }

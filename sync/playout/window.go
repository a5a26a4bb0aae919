package playout

// window is decoded audio by media frame: frames [start, end), stereo. It is one
// contiguous slice, so that the resampler can read across packets; when it is
// full the oldest half moves out.
type window struct {
	samples    []float32
	capacity   int // frames
	start, end int64
}

const outputs = 2 // the window's channels: left and right

func newWindow(frames int) *window {
	return &window{samples: make([]float32, 0, frames*outputs), capacity: frames}
}

// reset makes the window hold lead frames of silence before media frame end.
func (w *window) reset(end int64, lead int) {
	w.samples = w.samples[:lead*outputs]
	clear(w.samples)
	w.start, w.end = end-int64(lead), end
}

// grow returns room for frames more, already counted in. frames is at most half
// of the capacity.
func (w *window) grow(frames int) []float32 {
	if len(w.samples)/outputs+frames > w.capacity {
		drop := len(w.samples)/outputs - w.capacity/2
		drop = max(drop, frames-w.capacity/2)
		n := copy(w.samples, w.samples[drop*outputs:])
		w.samples = w.samples[:n]
		w.start += int64(drop)
	}
	from := len(w.samples)
	w.samples = w.samples[:from+frames*outputs]
	w.end += int64(frames)
	return w.samples[from:]
}

// recent returns the last frames of the window, as many as there are up to n.
func (w *window) recent(n int) []float32 {
	return w.samples[max(0, len(w.samples)-n*outputs):]
}

package resample

// Converter turns a stream of one rate into another's. Its nominal ratio is
// fixed; SetPPM steers it, so that a live input can be held at a steady fill.
// It delays nothing: the first output frame is the first input frame.
type Converter struct {
	kernel   *Kernel
	channels int
	nominal  float64 // input frames per output frame
	step     float64
	pos      float64   // of the next output frame, in frames of buf
	buf      []float32 // Before() frames of the past, then what is not used up yet
}

// NewConverter converts from inRate to outRate (both in Hz, above zero, at most
// 64 to 1 down) with the given number of interleaved channels.
func NewConverter(inRate, outRate, channels int) *Converter {
	ratio := float64(inRate) / float64(outRate)
	taps, cutoff := convertTaps, 1.0
	if ratio > 1 {
		taps = (int(convertTaps*min(ratio, maxDownscale)) + 3) &^ 3
		cutoff = 1 / ratio
	}
	c := &Converter{kernel: newKernel(taps, cutoff), channels: channels, nominal: ratio, step: ratio}
	c.Reset()
	return c
}

// Reset forgets the past: the next input frame begins a new stream.
func (c *Converter) Reset() {
	c.buf = append(c.buf[:0], make([]float32, c.kernel.Before()*c.channels)...)
	c.pos = float64(c.kernel.Before())
}

// SetPPM makes the converter take in (1 + ppm·10⁻⁶) times as many frames.
func (c *Converter) SetPPM(ppm float64) { c.step = c.nominal * (1 + ppm*1e-6) }

// Process takes frames from src and fills dst. It returns the frames written and
// the frames consumed; one of the two buffers is used up when it returns. It
// takes all of src as long as no more than a block of it would lie unused.
func (c *Converter) Process(dst, src []float32) (written, consumed int) {
	const block = 1024
	for {
		n := c.drain(dst[written*c.channels:])
		written += n
		if written == len(dst)/c.channels || consumed == len(src)/c.channels {
			return written, consumed
		}
		take := min(block, len(src)/c.channels-consumed)
		c.buf = append(c.buf, src[consumed*c.channels:(consumed+take)*c.channels]...)
		consumed += take
	}
}

// Flush ends the stream: it writes what is left, as if silence followed, and
// returns the frames written. Call it until it returns less than dst holds.
func (c *Converter) Flush(dst []float32) int {
	have := len(c.buf) / c.channels
	c.buf = append(c.buf, make([]float32, c.kernel.After()*c.channels)...)
	n := c.drain(dst)
	if tail := len(c.buf) - c.kernel.After()*c.channels; tail >= 0 && have > 0 {
		c.buf = c.buf[:tail]
	}
	return n
}

// drain writes what the buffer allows and drops what is no longer needed.
func (c *Converter) drain(dst []float32) int {
	t := Track{Pos: c.pos, Step: c.step}
	n := c.kernel.Interpolate(dst, c.buf, c.channels, t)
	c.pos = t.At(n).Pos
	drop := int(c.pos) - c.kernel.Before()
	drop = min(drop, len(c.buf)/c.channels)
	if drop > 0 {
		c.buf = c.buf[:copy(c.buf, c.buf[drop*c.channels:])]
		c.pos -= float64(drop)
	}
	return n
}

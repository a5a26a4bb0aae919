package alsa

import (
	"encoding/binary"

	"github.com/tutti-audio/tutti/alsa/internal/uapi"
)

// Format is how a card wants its samples; all are little-endian.
type Format uint8

// The formats, in order of preference. 0 is none.
const (
	S32    Format = iota + 1
	S24           // the low three of four bytes
	S24In3        // three bytes
	S16
)

func (f Format) String() string {
	return [...]string{"none", "S32", "S24", "S24_3LE", "S16"}[f]
}

func (f Format) number() uint32 {
	return [...]uint32{0, uapi.FormatS32, uapi.FormatS24, uapi.FormatS243, uapi.FormatS16}[f]
}

// Bytes is the size of a sample.
func (f Format) Bytes() int { return [...]int{0, 4, 4, 3, 2}[f] }

// dither is noise of two least significant bits with a triangular density, which
// turns the error of rounding to 16 bits into hiss. Silence stays silent, so that
// amplifiers that listen for it switch off.
type dither uint32

func (d *dither) next() float64 {
	x := uint32(*d)
	x ^= x << 13
	x ^= x >> 17
	x ^= x << 5
	*d = dither(x)
	return (float64(x&0xffff) - float64(x>>16)) / 65536
}

// put stores one sample.
func (f Format) put(b []byte, x float32, d *dither) {
	switch f {
	case S32:
		binary.LittleEndian.PutUint32(b, uint32(whole(float64(x)*(1<<31), 1<<31)))
	case S24:
		binary.LittleEndian.PutUint32(b, uint32(whole(float64(x)*(1<<23), 1<<23)))
	case S24In3:
		v := whole(float64(x)*(1<<23), 1<<23)
		b[0], b[1], b[2] = byte(v), byte(v>>8), byte(v>>16)
	case S16:
		v := float64(x) * (1 << 15)
		if v != 0 {
			v += d.next()
		}
		binary.LittleEndian.PutUint16(b, uint16(whole(v, 1<<15)))
	}
}

// whole rounds to an integer of at least -limit and below limit; NaN is 0.
func whole(v, limit float64) int32 {
	switch {
	case v >= limit-1:
		return int32(limit - 1)
	case v <= -limit:
		return int32(-limit)
	case v >= 0:
		return int32(v + 0.5)
	case v < 0:
		return int32(v - 0.5)
	}
	return 0
}

// get reads one sample.
func (f Format) get(b []byte) float32 {
	switch f {
	case S32:
		return float32(int32(binary.LittleEndian.Uint32(b))) * (1.0 / (1 << 31))
	case S24:
		return float32(int32(binary.LittleEndian.Uint32(b)<<8)) * (1.0 / (1 << 31))
	case S24In3:
		return float32(int32(uint32(b[0])<<8|uint32(b[1])<<16|uint32(b[2])<<24)) * (1.0 / (1 << 31))
	case S16:
		return float32(int16(binary.LittleEndian.Uint16(b))) * (1.0 / (1 << 15))
	}
	return 0
}

// spread stores stereo frames in b, for a card of any number of channels: one gets
// the mean, of more than two the others stay silent.
func (c *Config) spread(b []byte, pcm []float32, d *dither) {
	size := c.Format.Bytes()
	if c.Channels == 2 {
		for i, x := range pcm {
			c.Format.put(b[i*size:], x, d)
		}
		return
	}
	for ; len(pcm) >= 2; pcm = pcm[2:] {
		frame := [2]float32{pcm[0], pcm[1]}
		if c.Channels == 1 {
			frame[0] = (pcm[0] + pcm[1]) / 2
		}
		for ch := range c.Channels {
			x := float32(0)
			if ch < 2 {
				x = frame[ch]
			}
			c.Format.put(b, x, d)
			b = b[size:]
		}
	}
}

// floats reads samples into dst.
func (c *Config) floats(dst []float32, b []byte) {
	size := c.Format.Bytes()
	for i := range dst {
		dst[i] = c.Format.get(b[i*size:])
	}
}

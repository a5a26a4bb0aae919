package source

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// encoding is how a raw sample is stored; all are little-endian.
type encoding uint8

const (
	u8 encoding = iota
	s16
	s24
	s32
	f32
	f64
)

// bytes returns the size of a sample.
func (e encoding) bytes() int {
	switch e {
	case u8:
		return 1
	case s16:
		return 2
	case s24:
		return 3
	case f64:
		return 8
	}
	return 4
}

// rawFormat is a layout of raw PCM.
type rawFormat struct {
	enc            encoding
	rate, channels int
}

func (f rawFormat) frameBytes() int { return f.enc.bytes() * f.channels }

// parseFormat reads --format: encoding, rate and channels.
func parseFormat(s string) (rawFormat, error) {
	bad := func() (rawFormat, error) {
		return rawFormat{}, fmt.Errorf("format %q: write ENCODING:RATE:CHANNELS with s16le, s24le, s32le or f32le, 8000 to 384000 Hz and 1 to 8 channels, such as s16le:48000:2", s)
	}
	part := strings.Split(s, ":")
	if len(part) != 3 {
		return bad()
	}
	f := rawFormat{}
	switch part[0] {
	case "s16le":
		f.enc = s16
	case "s24le":
		f.enc = s24
	case "s32le":
		f.enc = s32
	case "f32le":
		f.enc = f32
	default:
		return bad()
	}
	var err1, err2 error
	f.rate, err1 = strconv.Atoi(part[1])
	f.channels, err2 = strconv.Atoi(part[2])
	if err1 != nil || err2 != nil || f.rate < 8000 || f.rate > 384000 || f.channels < 1 || f.channels > maxChannels {
		return bad()
	}
	return f, nil
}

// append converts whole samples in b and appends them to dst. Values that are
// not finite become 0.
func (e encoding) append(dst []float32, b []byte) []float32 {
	size := e.bytes()
	for ; len(b) >= size; b = b[size:] {
		dst = append(dst, e.sample(b))
	}
	return dst
}

// sample converts the first sample of b.
func (e encoding) sample(b []byte) float32 {
	switch e {
	case u8:
		return float32(int(b[0])-128) * (1.0 / (1 << 7))
	case s16:
		return float32(int16(binary.LittleEndian.Uint16(b))) * (1.0 / (1 << 15))
	case s24:
		v := int32(b[0])<<8 | int32(b[1])<<16 | int32(b[2])<<24
		return float32(v>>8) * (1.0 / (1 << 23))
	case s32:
		return float32(float64(int32(binary.LittleEndian.Uint32(b))) * (1.0 / (1 << 31)))
	case f64:
		return finite(math.Float64frombits(binary.LittleEndian.Uint64(b)))
	}
	return finite(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
}

// finite returns x, or 0 for NaN and infinities.
func finite(x float64) float32 {
	if x-x != 0 {
		return 0
	}
	return float32(x)
}

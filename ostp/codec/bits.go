package codec

import (
	"encoding/binary"
	"math/bits"
)

// bitWriter appends bits, most significant first, to a byte slice.
type bitWriter struct {
	out  []byte
	acc  uint64 // the last n bits are pending
	n    uint
	from int // where the frame begins in out
}

func (w *bitWriter) reset(dst []byte) { *w = bitWriter{out: dst, from: len(dst)} }

// write appends the low count bits of v; count is at most 32.
func (w *bitWriter) write(v uint32, count uint) {
	w.acc = w.acc<<count | uint64(v)&(1<<count-1)
	w.n += count
	for w.n >= 8 {
		w.n -= 8
		w.out = append(w.out, byte(w.acc>>w.n))
	}
}

// zeros appends count zero bits.
func (w *bitWriter) zeros(count uint32) {
	for ; count > 24; count -= 24 {
		w.write(0, 24)
	}
	w.write(0, uint(count))
}

// align fills the last byte with zeros.
func (w *bitWriter) align() {
	if w.n > 0 {
		w.write(0, 8-w.n)
	}
}

// frame returns the whole bytes written since reset.
func (w *bitWriter) frame() []byte { return w.out[w.from:] }

// bitReader reads bits, most significant first. Reading beyond the end gives
// zeros and sets bad.
type bitReader struct {
	b   []byte
	pos int // in bits
	bad bool
}

// window returns at least 56 bits from the current position, zeros beyond the
// end; the first bit is the most significant.
func (r *bitReader) window() uint64 {
	at := r.pos >> 3
	if at+8 <= len(r.b) {
		return binary.BigEndian.Uint64(r.b[at:]) << (r.pos & 7)
	}
	var tail [8]byte
	if at < len(r.b) {
		copy(tail[:], r.b[at:])
	}
	return binary.BigEndian.Uint64(tail[:]) << (r.pos & 7)
}

// skip moves on and notes the end.
func (r *bitReader) skip(count int) {
	r.pos += count
	if r.pos > 8*len(r.b) {
		r.pos, r.bad = 8*len(r.b), true
	}
}

// read returns count bits, at most 32.
func (r *bitReader) read(count uint) uint32 {
	v := uint32(r.window() >> 32 >> (32 - count))
	r.skip(int(count))
	return v
}

// signed returns count bits, at most 32, as a two's complement number.
func (r *bitReader) signed(count uint) int32 {
	if count == 0 {
		return 0
	}
	return int32(r.read(count)<<(32-count)) >> (32 - count)
}

// unary counts zeros up to the next one bit and skips both.
func (r *bitReader) unary() uint32 {
	count := 0
	for !r.bad {
		zeros := bits.LeadingZeros64(r.window())
		if zeros < 56 {
			r.skip(zeros + 1)
			return uint32(count + zeros)
		}
		r.skip(56)
		count += 56
	}
	return 0
}

// flacCRC computes the two check sums of a FLAC frame (RFC 9639 section 9.1.8
// and 9.3).
type flacCRC struct {
	table8  [256]uint8
	table16 [256]uint16
}

func newFLACCRC() *flacCRC {
	c := new(flacCRC)
	for i := range 256 {
		a, b := uint8(i), uint16(i)<<8
		for range 8 {
			a = a<<1 ^ 0x07*(a>>7)
			b = b<<1 ^ 0x8005*(b>>15)
		}
		c.table8[i], c.table16[i] = a, b
	}
	return c
}

func (c *flacCRC) sum8(p []byte) (s uint8) {
	for _, x := range p {
		s = c.table8[s^x]
	}
	return s
}

func (c *flacCRC) sum16(p []byte) (s uint16) {
	for _, x := range p {
		s = s<<8 ^ c.table16[byte(s>>8)^x]
	}
	return s
}

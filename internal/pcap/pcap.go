// Package pcap reads captures of network traffic: the classic pcap file, of either
// byte order, with microseconds or nanoseconds ([Reader]), and the UDP datagrams in
// its frames ([ParseFrame]). The Append functions write what the readers read, for
// tests.
//
// It is our own because the library of the field adds 1.4 MB to the speaker, a reader
// alone. Bytes are not trusted: lengths are bounded, and nothing is kept of a frame.
// Nothing here is safe for concurrent use of one value.
package pcap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	magicMicro   = 0xA1B2C3D4
	magicNano    = 0xA1B23C4D
	magicNew     = 0x0A0D0D0A // pcapng; the same in both orders
	fileHeader   = 24
	recordHeader = 16

	// MaxFrame is the longest frame that is read, in bytes; capturing programs
	// write no longer ones.
	MaxFrame = 262144
)

// ErrFormat is wrapped by errors about files that are no captures, or damaged.
var ErrFormat = errors.New("not a capture that can be read")

// Frame is one captured frame.
type Frame struct {
	At     time.Time // UTC
	Data   []byte    // valid until the next call of Next
	Length int       // on the wire, in bytes; more than len(Data) when it was cut
}

// Reader reads frames one after the other.
type Reader struct {
	from  io.Reader
	order binary.ByteOrder
	nano  bool
	link  Link
	buf   []byte
	count int
}

// IsCapture reports whether a file that begins with b, at least four bytes of it,
// is a capture, also one of a kind that NewReader refuses.
func IsCapture(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	little, big := binary.LittleEndian.Uint32(b), binary.BigEndian.Uint32(b)
	for _, magic := range []uint32{magicMicro, magicNano, magicNew} {
		if little == magic || big == magic {
			return true
		}
	}
	return false
}

// NewReader reads the file's header.
func NewReader(from io.Reader) (*Reader, error) {
	var h [fileHeader]byte
	if _, err := io.ReadFull(from, h[:]); err != nil {
		return nil, fmt.Errorf("%w: its header: %w", ErrFormat, err)
	}
	r := &Reader{from: from}
	switch little, big := binary.LittleEndian.Uint32(h[:]), binary.BigEndian.Uint32(h[:]); {
	case little == magicMicro || little == magicNano:
		r.order, r.nano = binary.LittleEndian, little == magicNano
	case big == magicMicro || big == magicNano:
		r.order, r.nano = binary.BigEndian, big == magicNano
	case big == magicNew:
		return nil, fmt.Errorf("%w: it is pcapng; turn it into pcap: editcap -F pcap FILE NEW.pcap", ErrFormat)
	default:
		return nil, fmt.Errorf("%w: it begins with %08x, and no pcap file does", ErrFormat, big)
	}
	r.link = Link(r.order.Uint32(h[20:]) & 0xFFFF) // above it: the length of a checksum
	return r, nil
}

// Link returns of which kind the frames are.
func (r *Reader) Link() Link { return r.link }

// Next returns the next frame; io.EOF at the end of the file. An error that wraps
// ErrFormat says at which frame the file is damaged; nothing can be read behind it.
func (r *Reader) Next() (Frame, error) {
	var h [recordHeader]byte
	if _, err := io.ReadFull(r.from, h[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return Frame{}, io.EOF
		}
		return Frame{}, r.damaged("the file ends in its header")
	}
	r.count++
	fraction := time.Duration(r.order.Uint32(h[4:]))
	if !r.nano {
		fraction *= time.Microsecond
	}
	size, length := r.order.Uint32(h[8:]), r.order.Uint32(h[12:])
	if fraction >= time.Second || size > MaxFrame || length > 1<<30 {
		return Frame{}, r.damaged(fmt.Sprintf("%d bytes of %d at %v past the second", size, length, fraction))
	}
	if int(size) > cap(r.buf) {
		r.buf = make([]byte, size)
	}
	r.buf = r.buf[:size]
	if _, err := io.ReadFull(r.from, r.buf); err != nil {
		return Frame{}, r.damaged("the file ends in it")
	}
	at := time.Unix(int64(r.order.Uint32(h[0:])), int64(fraction)).UTC()
	return Frame{At: at, Data: r.buf, Length: int(length)}, nil
}

func (r *Reader) damaged(why string) error {
	return fmt.Errorf("%w: frame %d: %s; what came before it is whole", ErrFormat, r.count, why)
}

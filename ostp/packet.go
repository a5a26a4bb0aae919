// Package ostp is the packet of the Open Sonic Transport Protocol: an RTP packet
// (RFC 3550) with an extension that widens the sequence and counts media time,
// and a CRC-32 trailer (docs/spec, section 1).
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|V=2|P|X|  CC   |M|     PT      |      sequence (low 16)        |
//	|                     RTP timestamp (48 kHz)                    |
//	|                             SSRC                              |
//	|       profile = 0x4F53        |       length = 2 words        |
//	|           stream_id           |     sequence_ext (high 16)    |
//	|               media_timestamp (48 kHz, from 0)                |
//	|                           payload …                           |
//	|             CRC-32 (IEEE) of all above, little-endian         |
//
// Everything is big-endian but the trailer. [ParsePacket] is strict: what it
// accepts, [AppendPacket] writes again byte for byte. Neither allocates when the
// Packet is reused. Nothing here is safe for concurrent use of one value; values
// are independent.
package ostp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/pion/rtp"
)

// Sizes on the wire, in bytes.
const (
	HeaderSize     = 24     // without CSRCs and surplus extension words
	TrailerSize    = 4      // the CRC
	MaxPayload     = 12288  // what a reader must accept
	MaxPacket      = 12316  // HeaderSize + MaxPayload + TrailerSize
	ProfileOSTP    = 0x4F53 // "OS"
	extensionSize  = 8
	rtpVersion     = 2
	maxSurplusSize = 256
)

// What can be wrong with bytes that claim to be a packet. Errors returned by
// this package wrap one of these, so that a receiver can count them apart.
var (
	ErrTruncated = errors.New("packet is truncated")
	ErrForeign   = errors.New("not an OSTP packet")
	ErrTooLong   = errors.New("packet is longer than OSTP allows")
	ErrCRC       = errors.New("CRC mismatch")
)

// Packet is one OSTP packet. The embedded RTP header holds marker, payload type,
// timestamp and SSRC; its version, extension and profile are set when appending.
type Packet struct {
	rtp.Header
	StreamID       uint16
	SequenceExt    uint16
	MediaTimestamp uint32 // 48 kHz ticks since the stream began, modulo 2^32
	Surplus        []byte // extension words behind the first two; opaque
	Payload        []byte // aliases the parsed bytes

	scratch [extensionSize]byte
}

// Sequence returns the 32-bit sequence number.
func (p *Packet) Sequence() uint32 {
	return uint32(p.SequenceExt)<<16 | uint32(p.SequenceNumber)
}

// SetSequence sets both halves of the 32-bit sequence number.
func (p *Packet) SetSequence(s uint32) {
	p.SequenceExt, p.SequenceNumber = uint16(s>>16), uint16(s)
}

// AppendPacket appends p with its CRC to dst. It fails when the payload or the
// surplus is too long, and leaves dst as it was.
func AppendPacket(dst []byte, p *Packet) ([]byte, error) {
	if len(p.Payload) > MaxPayload || len(p.Surplus) > maxSurplusSize {
		return dst, fmt.Errorf("%w: payload of %d bytes (at most %d)", ErrTooLong, len(p.Payload), MaxPayload)
	}
	binary.BigEndian.PutUint16(p.scratch[0:], p.StreamID)
	binary.BigEndian.PutUint16(p.scratch[2:], p.SequenceExt)
	binary.BigEndian.PutUint32(p.scratch[4:], p.MediaTimestamp)
	extension := p.scratch[:]
	if len(p.Surplus) > 0 {
		extension = append(extension[:extensionSize:extensionSize], p.Surplus...)
	}
	p.Version, p.Padding, p.Extension, p.ExtensionProfile = rtpVersion, false, true, ProfileOSTP
	if err := p.SetExtension(0, extension); err != nil {
		return dst, fmt.Errorf("extension: %w", err)
	}
	start := len(dst)
	dst = slices.Grow(dst, p.MarshalSize()+len(p.Payload)+TrailerSize)
	n, err := p.MarshalTo(dst[start : start+p.MarshalSize()])
	if err != nil {
		return dst[:start], fmt.Errorf("header: %w", err)
	}
	dst = append(dst[:start+n], p.Payload...)
	return binary.LittleEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[start:])), nil
}

// ParsePacket reads b, one whole datagram, into p. p.Payload and p.Surplus alias
// b. On error p holds nothing of use.
func ParsePacket(p *Packet, b []byte) error {
	if err := p.parseHeader(b); err != nil {
		return err
	}
	body := len(b) - TrailerSize
	if crc32.ChecksumIEEE(b[:body]) != binary.LittleEndian.Uint32(b[body:]) {
		return ErrCRC
	}
	return nil
}

// parseHeader reads everything but the CRC.
func (p *Packet) parseHeader(b []byte) error {
	if len(b) < HeaderSize+TrailerSize {
		return fmt.Errorf("%w: %d bytes, at least %d", ErrTruncated, len(b), HeaderSize+TrailerSize)
	}
	const plain = rtpVersion<<6 | 1<<4 // version 2, no padding, extension
	if b[0]&0xF0 != plain {
		return fmt.Errorf("%w: first byte %#02x", ErrForeign, b[0])
	}
	n, err := p.Unmarshal(b[:len(b)-TrailerSize])
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTruncated, err)
	}
	extension := p.GetExtension(0)
	if p.ExtensionProfile != ProfileOSTP || len(extension) < extensionSize {
		return fmt.Errorf("%w: extension profile %#04x of %d bytes", ErrForeign, p.ExtensionProfile, len(extension))
	}
	p.Payload = b[n : len(b)-TrailerSize]
	p.Surplus = extension[extensionSize:]
	if len(p.Payload) > MaxPayload || len(p.Surplus) > maxSurplusSize {
		return fmt.Errorf("%w: payload of %d bytes (at most %d)", ErrTooLong, len(p.Payload), MaxPayload)
	}
	p.StreamID = binary.BigEndian.Uint16(extension[0:])
	p.SequenceExt = binary.BigEndian.Uint16(extension[2:])
	p.MediaTimestamp = binary.BigEndian.Uint32(extension[4:])
	return nil
}

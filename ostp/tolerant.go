package ostp

import (
	"encoding/binary"
	"hash/crc32"
)

// Trailer is which of the CRC trailers seen in the field a packet carries.
type Trailer int

// The trailers, the specified one first.
const (
	TrailerStandard         Trailer = iota // whole packet, little-endian
	TrailerPayloadBigEndian                // payload only, big-endian
	TrailerPacketBigEndian                 // whole packet, big-endian
)

// ParseTolerant is ParsePacket for networks with senders that read the draft
// differently: it also accepts a CRC over the payload only, and one over the
// whole packet, both big-endian. It says which, so that each can be counted.
func ParseTolerant(p *Packet, b []byte) (Trailer, error) {
	if err := p.parseHeader(b); err != nil {
		return 0, err
	}
	body := len(b) - TrailerSize
	whole := crc32.ChecksumIEEE(b[:body])
	swapped := binary.BigEndian.Uint32(b[body:])
	switch {
	case whole == binary.LittleEndian.Uint32(b[body:]):
		return TrailerStandard, nil
	case whole == swapped:
		return TrailerPacketBigEndian, nil
	case crc32.ChecksumIEEE(p.Payload) == swapped:
		return TrailerPayloadBigEndian, nil
	}
	return 0, ErrCRC
}

package ostp

import (
	"encoding/binary"
	"fmt"
)

// MaxNACK is how many sequence numbers one NACK asks for at most.
const MaxNACK = 32

// AppendNACK appends the payload of a NACK (PT 126): the low 16 bits of each
// sequence number that is missing, big-endian. The packet around it bears the SSRC
// and the stream_id of the stream it asks of. It fails on none and on more than
// MaxNACK, and leaves dst as it was.
func AppendNACK(dst []byte, missing []uint16) ([]byte, error) {
	if len(missing) == 0 || len(missing) > MaxNACK {
		return dst, fmt.Errorf("a NACK of %d sequence numbers: ask for 1 to %d", len(missing), MaxNACK)
	}
	for _, s := range missing {
		dst = binary.BigEndian.AppendUint16(dst, s)
	}
	return dst, nil
}

// ParseNACK appends the sequence numbers that a NACK's payload asks for to dst.
// What it accepts, AppendNACK writes again byte for byte.
func ParseNACK(dst []uint16, payload []byte) ([]uint16, error) {
	if len(payload) == 0 || len(payload)%2 != 0 || len(payload) > 2*MaxNACK {
		return dst, fmt.Errorf("%w: NACK of %d bytes, not 1 to %d sequence numbers", ErrTruncated, len(payload), MaxNACK)
	}
	for i := 0; i < len(payload); i += 2 {
		dst = append(dst, binary.BigEndian.Uint16(payload[i:]))
	}
	return dst, nil
}

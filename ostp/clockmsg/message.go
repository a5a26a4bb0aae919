// Package clockmsg is the time exchange between a speaker and the sender of its
// stream: NTPv4 messages (RFC 5905, section 7.3) in client/server mode, with the
// interleaved mode of RFC 9769 that carries the kernel's own transmit stamps.
//
// [Server] answers; [Client] asks and turns answers into [Sample] values. Both
// are state machines that move no bytes and read no clock: instants go in as
// arguments. The server's instants are house time, the client's are local; they
// are only ever subtracted within their own clock. Client fields that NTP fills
// with the client's time hold random numbers here: the server echoes them, so an
// answer that does not know them is forged or stale.
//
// Neither is safe for concurrent use.
package clockmsg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/tutti-audio/tutti/sync/timebase"
)

// Size is the length of a message in bytes.
const Size = 48

// Timestamp is NTP's 64-bit time: seconds since 1900 in the high half (modulo
// 2^32), fractions of a second in the low half.
type Timestamp uint64

// ntpToUnix is 1900 to 1970, in seconds.
const ntpToUnix = 2208988800

// FromHouse converts house time. The way there and back is exact.
func FromHouse(h timebase.House) Timestamp {
	seconds, nanos := int64(h)/int64(time.Second), int64(h)%int64(time.Second)
	if nanos < 0 {
		seconds, nanos = seconds-1, nanos+int64(time.Second)
	}
	fraction := (uint64(nanos)<<32 + uint64(time.Second)/2) / uint64(time.Second)
	return Timestamp(uint64(seconds+ntpToUnix)<<32 + fraction)
}

// House converts t to house time, for instants from 1968 to 2104.
func (t Timestamp) House() timebase.House {
	seconds := int64(t >> 32)
	if seconds < 1<<31 {
		seconds += 1 << 32
	}
	nanos := (uint64(uint32(t))*uint64(time.Second) + 1<<31) >> 32
	return timebase.House((seconds-ntpToUnix)*int64(time.Second) + int64(nanos))
}

const (
	version    = 4
	modeClient = 3
	modeServer = 4
	leapUnset  = 3
	// localStratum is the stratum of a clock that follows no other.
	localStratum = 10
	// precision is log2 of the clock's resolution in seconds: 2^-29 s = 1.9 ns.
	precision = -29
)

// ErrNotClock is wrapped by errors about bytes that are no message for us.
var ErrNotClock = errors.New("not a clock message")

// message is the part of an NTP message that the exchange uses.
type message struct {
	mode                      byte
	origin, receive, transmit Timestamp
}

// appendMessage appends m as an NTPv4 message of 48 bytes.
func appendMessage(dst []byte, m message) []byte {
	var b [Size]byte
	b[0] = version<<3 | m.mode
	if m.mode == modeServer {
		b[1] = localStratum
		p := int8(precision)
		b[3] = byte(p)
		copy(b[12:], "OSTP")
	} else {
		b[0] |= leapUnset << 6
	}
	binary.BigEndian.PutUint64(b[24:], uint64(m.origin))
	binary.BigEndian.PutUint64(b[32:], uint64(m.receive))
	binary.BigEndian.PutUint64(b[40:], uint64(m.transmit))
	return append(dst, b[:]...)
}

// parseMessage reads a message of the wanted mode.
func parseMessage(b []byte, mode byte) (message, error) {
	if len(b) != Size {
		return message{}, fmt.Errorf("%w: %d bytes, want %d", ErrNotClock, len(b), Size)
	}
	if b[0]&7 != mode || b[0]>>3&7 != version {
		return message{}, fmt.Errorf("%w: first byte %#02x", ErrNotClock, b[0])
	}
	return message{
		mode:     mode,
		origin:   Timestamp(binary.BigEndian.Uint64(b[24:])),
		receive:  Timestamp(binary.BigEndian.Uint64(b[32:])),
		transmit: Timestamp(binary.BigEndian.Uint64(b[40:])),
	}, nil
}

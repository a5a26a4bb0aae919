package udp

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// findStamp returns the software stamp among ancillary data.
func findStamp(control []byte) (unix.Timespec, bool) {
	for len(control) >= unix.SizeofCmsghdr {
		h, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			break
		}
		if h.Level == unix.SOL_SOCKET && h.Type == unix.SCM_TIMESTAMPING {
			if ts, ok := timespec(data); ok {
				return ts, true
			}
		}
		control = rest
	}
	return unix.Timespec{}, false
}

// timespec reads the first of SCM_TIMESTAMPING's three timespecs; the kernel's
// words are as wide as a C long.
func timespec(data []byte) (ts unix.Timespec, ok bool) {
	const word = int(unix.SizeofPtr)
	if len(data) < 2*word {
		return ts, false
	}
	var seconds, nanos int64
	if word == 8 {
		seconds, nanos = int64(binary.NativeEndian.Uint64(data)), int64(binary.NativeEndian.Uint64(data[8:]))
	} else {
		seconds, nanos = int64(int32(binary.NativeEndian.Uint32(data))), int64(int32(binary.NativeEndian.Uint32(data[4:])))
	}
	if seconds == 0 {
		return ts, false
	}
	return unix.NsecToTimespec(seconds*1e9 + nanos), true
}

// Sent is the kernel's stamp of a datagram that this socket sent.
type Sent struct {
	ID uint32 // the socket's datagrams count from 0
	At timebase.Local
}

// stampReader reads a socket's error queue without allocating.
type stampReader struct {
	oob     [controlSize]byte
	payload [64]byte
}

// next returns the next stamp that can be believed, if there is one.
func (s *stampReader) next(fd int, clock *hostclock.Clock) (sent Sent, ok bool) {
	for {
		_, n, _, _, err := unix.Recvmsg(fd, s.payload[:], s.oob[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if err != nil {
			return Sent{}, false
		}
		stamp, hasStamp := findStamp(s.oob[:n])
		id, hasID := findID(s.oob[:n])
		if !hasStamp || !hasID {
			continue
		}
		if at, believable := clock.FromRealtime(stamp); believable {
			return Sent{ID: id, At: at}, true
		}
	}
}

// NextSent returns the next transmit stamp that has not been read, if there is
// one. It belongs to the goroutine that writes.
func (c *Conn) NextSent() (sent Sent, ok bool) {
	if err := c.raw.Control(c.nextSent); err != nil {
		return Sent{}, false
	}
	return c.sent, c.hasSent
}

// findID returns the datagram's number out of the extended error that comes with
// a transmit stamp: struct sock_extended_err, whose ee_data is the fifth word.
func findID(control []byte) (id uint32, ok bool) {
	for len(control) >= unix.SizeofCmsghdr {
		h, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			break
		}
		v4 := h.Level == unix.SOL_IP && h.Type == unix.IP_RECVERR
		v6 := h.Level == unix.SOL_IPV6 && h.Type == unix.IPV6_RECVERR
		if (v4 || v6) && len(data) >= 16 && data[4] == unix.SO_EE_ORIGIN_TIMESTAMPING {
			return binary.NativeEndian.Uint32(data[12:]), true
		}
		control = rest
	}
	return 0, false
}

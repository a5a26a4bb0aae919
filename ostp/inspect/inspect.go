// Package inspect explains datagrams of OSTP for people: of which kind one is, what
// each field says, and whether its CRC is good ([Explain]). A [Log] follows the
// streams among them: what is missing, late or doubled.
//
// All texts are English and for display; those that come from the network may hold
// anything printable or not. Media time is in 48 kHz ticks, wire sizes in bytes.
// Nothing here fails: bytes that mean nothing are explained as such. Values belong
// to one goroutine each.
package inspect

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/clockmsg"
	"github.com/tutti-audio/tutti/ostp/line"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// Kind is what a datagram is.
type Kind string

// The kinds.
const (
	Media     Kind = "OSTP media"
	FEC       Kind = "OSTP FEC"
	NACK      Kind = "OSTP NACK"
	RTP       Kind = "RTP" // not OSTP
	RTCP      Kind = "RTCP"
	Clock     Kind = "clock (NTP)"
	Probe     Kind = "clock probe"
	Line      Kind = "control line"
	DTLS      Kind = "DTLS"
	STUN      Kind = "STUN"
	Encrypted Kind = "encrypted" // SRTP or SRTCP between ends that spoke DTLS
	Unknown   Kind = "unknown"
)

// Field is one field of a datagram and what it says.
type Field struct{ Name, Value string }

// Explanation is what one datagram says.
type Explanation struct {
	Kind    Kind
	Summary string  // in a few words
	Fields  []Field // in the order of the wire, nested ones with a dot in the name
	Problem string  // what is wrong with it; empty if nothing is
	Notes   []string

	packet *ostp.Packet // of the three OSTP kinds
	badCRC bool
}

func (e *Explanation) add(name, format string, args ...any) {
	e.Fields = append(e.Fields, Field{name, fmt.Sprintf(format, args...)})
}

const (
	probeByte = 0x7D
	probeSize = 25
)

// Explain says what a datagram is, by itself.
func Explain(b []byte) Explanation {
	switch {
	case len(b) == 0:
		return Explanation{Kind: Unknown, Summary: "empty"}
	case ostp.IsRTCP(b):
		return explainRTCP(b)
	case b[0]>>6 == 2:
		return explainRTP(b)
	case b[0] == probeByte && len(b) == probeSize:
		return explainProbe(b)
	case isDTLS(b):
		return explainDTLS(b)
	case isSTUN(b):
		return explainSTUN(b)
	case isClock(b):
		return explainClock(b)
	case isText(b):
		return explainLine(b)
	}
	return Explanation{Kind: Unknown, Summary: fmt.Sprintf("%d bytes", len(b)), Fields: []Field{{"bytes", some(b)}}}
}

// some shows the first bytes of many.
func some(b []byte) string {
	const shown = 24
	if len(b) > shown {
		return fmt.Sprintf("%d bytes: %X…", len(b), b[:shown])
	}
	return fmt.Sprintf("%d bytes: %X", len(b), b)
}

// isText reports whether a datagram could be meant as a line: it begins with a verb,
// or with a letter and all but its end is printable.
func isText(b []byte) bool {
	if i := bytes.IndexAny(b, ": \r\n"); i >= 2 && isVerb(b[:i]) {
		return true
	}
	if c := b[0] | 0x20; c < 'a' || c > 'z' {
		return false
	}
	return !bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' && r != '\r' && r != '\n' || r == 0x7F })
}

func isVerb(b []byte) bool {
	return !bytes.ContainsFunc(b, func(r rune) bool { return r != '_' && (r < 'A' || r > 'Z') })
}

func explainLine(b []byte) Explanation {
	e := Explanation{Kind: Line, Summary: fmt.Sprintf("%.60q", b)}
	l, err := line.Parse(b)
	if err != nil {
		e.Problem = err.Error() + ": a relay does not take it"
		e.add("text", "%q", b)
		return e
	}
	written, err := line.Append(nil, l)
	if err != nil {
		e.Problem = err.Error()
		return e
	}
	e.add("text", "%q", b)
	if string(written) != string(b) {
		e.add("as written", "%q", written)
	}
	e.Fields = append(e.Fields, lineFields(l)...)
	return e
}

func explainProbe(b []byte) Explanation {
	e := Explanation{Kind: Probe, Summary: "asks a relay for its time"}
	for i, name := range []string{"T1 (asked)", "T2 (received)", "T3 (sent)"} {
		at := binary.LittleEndian.Uint64(b[1+8*i:])
		e.add(name, "%d ns", at)
		if i > 0 && at != 0 {
			e.Summary = "a relay's answer"
		}
	}
	return e
}

// isClock: 48 bytes of NTP version 3 or 4, as client or server.
func isClock(b []byte) bool {
	version, mode := b[0]>>3&7, b[0]&7
	return len(b) == clockmsg.Size && (version == 3 || version == 4) && (mode == 3 || mode == 4)
}

func explainClock(b []byte) Explanation {
	e := Explanation{Kind: Clock, Summary: "request"}
	if b[0]&7 == 4 {
		e.Summary = "answer"
	}
	e.add("leap indicator", "%d", b[0]>>6)
	e.add("version", "%d", b[0]>>3&7)
	e.add("mode", "%d (%s)", b[0]&7, map[byte]string{3: "client", 4: "server"}[b[0]&7])
	e.add("stratum", "%d", b[1])
	e.add("poll", "2^%d s", int8(b[2]))
	e.add("precision", "2^%d s", int8(b[3]))
	for i, name := range []string{"root delay", "root dispersion"} {
		e.add(name, "%.6f s", float64(binary.BigEndian.Uint32(b[4+4*i:]))/(1<<16))
	}
	e.add("reference id", "%q", b[12:16])
	for i, name := range []string{"reference", "origin", "receive", "transmit"} {
		t := clockmsg.Timestamp(binary.BigEndian.Uint64(b[16+8*i:]))
		e.add(name, "%016X%s", uint64(t), house(t, b[0]&7 == 4 && i >= 2))
	}
	return e
}

// house shows a server's times in seconds; what a client sends is random.
func house(t clockmsg.Timestamp, known bool) string {
	if !known || t == 0 {
		return ""
	}
	return fmt.Sprintf(" (house time %s)", seconds(t.House()))
}

// seconds shows house time without loss.
func seconds(h timebase.House) string {
	const second = 1_000_000_000
	return fmt.Sprintf("%d.%09d s", h/second, max(h%second, -(h%second)))
}

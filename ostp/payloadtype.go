package ostp

import "strconv"

// PayloadType is the RTP payload type (docs/spec, section 1).
type PayloadType uint8

// The payload types of OSTP. FLAC and PCM24 are ours; Opus111 and Opus112 are
// read as Opus, never sent.
const (
	Opus    PayloadType = 96  // one Opus frame
	PCM16   PayloadType = 97  // S16LE interleaved
	AAC     PayloadType = 98  // one AAC-LC access unit
	PCM24   PayloadType = 100 // S24LE packed, interleaved
	FLAC    PayloadType = 101 // one FLAC frame
	Opus111 PayloadType = 111
	Opus112 PayloadType = 112
	NACK    PayloadType = 126
	FEC     PayloadType = 127
)

// Canonical returns the payload type that p is to be read as.
func (p PayloadType) Canonical() PayloadType {
	if p == Opus111 || p == Opus112 {
		return Opus
	}
	return p
}

// String returns the encoding name as SDP writes it.
func (p PayloadType) String() string {
	switch p.Canonical() {
	case Opus:
		return "opus"
	case PCM16:
		return "pcm16"
	case AAC:
		return "aac"
	case PCM24:
		return "pcm24"
	case FLAC:
		return "flac"
	case NACK:
		return "nack"
	case FEC:
		return "fec"
	}
	return strconv.Itoa(int(p))
}

// IsRTCP tells RTCP from RTP on a port that they share, by the packet type (RFC 5761,
// section 4).
func IsRTCP(b []byte) bool { return len(b) > 1 && b[0]>>6 == 2 && b[1] >= 192 && b[1] <= 223 }

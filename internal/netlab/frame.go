package netlab

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
)

// Where things are in an Ethernet frame without a VLAN tag.
const (
	etherHeader = 14
	etherIPv4   = 0x0800
	etherIPv6   = 0x86dd
	ipv6Header  = 40
	protoIGMP   = 2
	protoUDP    = 17
	protoICMPv6 = 58
	udpHeader   = 8
)

// isGroup tells whether a frame goes to a multicast group; broadcast does not.
func isGroup(frame []byte) bool {
	if len(frame) < etherHeader || frame[0]&1 == 0 {
		return false
	}
	return !bytes.Equal(frame[:6], []byte{255, 255, 255, 255, 255, 255})
}

// blocked tells whether BlockMulticast stops a group frame.
func blocked(frame []byte, passDiscovery bool) bool {
	body := frame[etherHeader:]
	switch etherType := binary.BigEndian.Uint16(frame[12:]); {
	case etherType == etherIPv4 && len(body) >= 20:
		if body[9] == protoIGMP {
			return false
		}
		return !passDiscovery || !bytes.Equal(body[16:20], []byte{224, 0, 0, 251})
	case etherType == etherIPv6 && len(body) >= ipv6Header:
		// Hop-by-hop options (0) precede multicast listener reports.
		if body[6] == protoICMPv6 || body[6] == 0 {
			return false
		}
		return !passDiscovery || body[24] != 0xff || body[39] != 0xfb
	}
	return true
}

// corrupt inverts one bit of the frame, as Conditions.Corrupt describes.
func corrupt(frame []byte, rng *rand.Rand) {
	from := min(etherHeader, len(frame)-1)
	if start, ok := udpOverIPv4(frame); ok {
		binary.BigEndian.PutUint16(frame[start+6:], 0) // no checksum
		from = start + udpHeader
	}
	bit := rng.IntN((len(frame) - from) * 8)
	frame[from+bit/8] ^= 1 << (bit % 8)
}

// udpOverIPv4 returns where the UDP header of an unfragmented datagram with a
// payload begins.
func udpOverIPv4(frame []byte) (start int, ok bool) {
	if len(frame) < etherHeader+20 || binary.BigEndian.Uint16(frame[12:]) != etherIPv4 {
		return 0, false
	}
	ip := frame[etherHeader:]
	const fragment = 0x3fff // more fragments, or an offset
	if ip[9] != protoUDP || binary.BigEndian.Uint16(ip[6:])&fragment != 0 {
		return 0, false
	}
	start = etherHeader + int(ip[0]&15)*4
	return start, start+udpHeader < len(frame)
}

package pcap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// Link is of which kind a capture's frames are, by the numbers of pcap files.
type Link uint32

// The kinds that are read.
const (
	LinkNull     Link = 0 // loopback: the address family in the order of some host
	LinkEthernet Link = 1
	LinkRaw      Link = 101 // IPv4 or IPv6 without anything before it
	LinkLoop     Link = 108 // loopback: the address family in network order
	LinkCooked   Link = 113 // Linux, version 1
	LinkIPv4     Link = 228
	LinkIPv6     Link = 229
	LinkCooked2  Link = 276 // Linux, version 2
)

// Why a frame has no datagram for us; errors of ParseFrame wrap one of these.
var (
	ErrOther    = errors.New("no UDP")
	ErrFragment = errors.New("a fragment of a datagram")
	ErrCut      = errors.New("cut short")
	ErrLink     = errors.New("frames of this kind are not known")
)

// Datagram is a UDP datagram. Payload aliases the frame.
type Datagram struct {
	From, To netip.AddrPort
	Payload  []byte
}

const (
	etherIPv4   = 0x0800
	etherIPv6   = 0x86DD
	etherVLAN   = 0x8100
	etherQinQ   = 0x88A8
	etherQinQ2  = 0x9100
	maxTags     = 4
	protocolUDP = 17
)

// ParseFrame finds the UDP datagram in a frame. Fragments are not put together.
// On ErrCut the datagram has its addresses when these were there, and what there is
// of its payload.
func ParseFrame(link Link, b []byte) (Datagram, error) {
	switch link {
	case LinkNull, LinkLoop:
		return parseRaw(cut(b, 4))
	case LinkRaw, 12, 14, LinkIPv4, LinkIPv6: // 12 and 14 are raw on some systems
		return parseRaw(b)
	case LinkEthernet:
		return parseTyped(cut(b, 12))
	case LinkCooked:
		return parseTyped(cut(b, 14))
	case LinkCooked2:
		if len(b) < 20 {
			return Datagram{}, fmt.Errorf("%w: in the link's header", ErrCut)
		}
		return parseEther(binary.BigEndian.Uint16(b), b[20:])
	}
	return Datagram{}, fmt.Errorf("%w: link type %d; capture with tcpdump on an interface, or on \"any\"", ErrLink, link)
}

// cut returns b without its first n bytes, nothing when there are fewer.
func cut(b []byte, n int) []byte { return b[min(n, len(b)):] }

// parseTyped reads what follows an Ethernet type, past VLAN tags.
func parseTyped(b []byte) (Datagram, error) {
	for range maxTags + 1 {
		if len(b) < 2 {
			return Datagram{}, fmt.Errorf("%w: in the link's header", ErrCut)
		}
		kind := binary.BigEndian.Uint16(b)
		if kind != etherVLAN && kind != etherQinQ && kind != etherQinQ2 {
			return parseEther(kind, b[2:])
		}
		b = cut(b, 4)
	}
	return Datagram{}, fmt.Errorf("%w: more than %d VLAN tags", ErrOther, maxTags)
}

func parseEther(kind uint16, b []byte) (Datagram, error) {
	switch kind {
	case etherIPv4, etherIPv6:
		return parseRaw(b)
	case etherVLAN, etherQinQ, etherQinQ2: // tags behind Linux's own header
		return parseTyped(cut(b, 2))
	}
	return Datagram{}, fmt.Errorf("%w: Ethernet type %#04x", ErrOther, kind)
}

// parseRaw reads an IP packet of either version.
func parseRaw(b []byte) (Datagram, error) {
	if len(b) == 0 {
		return Datagram{}, fmt.Errorf("%w: in the link's header", ErrCut)
	}
	switch b[0] >> 4 {
	case 4:
		return parseIPv4(b)
	case 6:
		return parseIPv6(b)
	}
	return Datagram{}, fmt.Errorf("%w: first byte of IP %#02x", ErrOther, b[0])
}

func parseIPv4(b []byte) (Datagram, error) {
	size := int(b[0]&15) * 4
	if size < 20 {
		return Datagram{}, fmt.Errorf("%w: an IPv4 header of %d bytes", ErrOther, size)
	}
	if len(b) < size {
		return Datagram{}, fmt.Errorf("%w: in the IPv4 header", ErrCut)
	}
	if b[9] != protocolUDP {
		return Datagram{}, fmt.Errorf("%w: protocol %d", ErrOther, b[9])
	}
	const moreOrOffset = 0x3FFF
	if binary.BigEndian.Uint16(b[6:])&moreOrOffset != 0 {
		return Datagram{}, ErrFragment
	}
	from, to := netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
	return parseUDP(from, to, b[size:])
}

func parseIPv6(b []byte) (Datagram, error) {
	const header, hop, routing, fragment, options = 40, 0, 43, 44, 60
	if len(b) < header {
		return Datagram{}, fmt.Errorf("%w: in the IPv6 header", ErrCut)
	}
	from, to := netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
	next, b := b[6], b[header:]
	for range 8 {
		switch {
		case next == protocolUDP:
			return parseUDP(from, to, b)
		case next != hop && next != routing && next != fragment && next != options:
			return Datagram{}, fmt.Errorf("%w: protocol %d", ErrOther, next)
		case len(b) < 8:
			return Datagram{}, fmt.Errorf("%w: in an IPv6 header", ErrCut)
		}
		size := 8 * (int(b[1]) + 1)
		if next == fragment {
			const moreOrOffset = 0xFFF9
			if binary.BigEndian.Uint16(b[2:])&moreOrOffset != 0 {
				return Datagram{}, ErrFragment
			}
			size = 8
		}
		next, b = b[0], cut(b, size)
	}
	return Datagram{}, fmt.Errorf("%w: more than 8 IPv6 headers", ErrOther)
}

func parseUDP(from, to netip.Addr, b []byte) (Datagram, error) {
	const header = 8
	if len(b) < header {
		return Datagram{}, fmt.Errorf("%w: in the UDP header", ErrCut)
	}
	d := Datagram{
		From: netip.AddrPortFrom(from, binary.BigEndian.Uint16(b)), To: netip.AddrPortFrom(to, binary.BigEndian.Uint16(b[2:])),
	}
	size := int(binary.BigEndian.Uint16(b[4:]))
	if size < header {
		return Datagram{}, fmt.Errorf("%w: a UDP length of %d", ErrOther, size)
	}
	d.Payload = b[header:min(size, len(b))]
	if size > len(b) {
		return d, fmt.Errorf("%w: %d of %d bytes are there; capture whole frames: tcpdump -s 0", ErrCut, len(d.Payload), size-header)
	}
	return d, nil
}

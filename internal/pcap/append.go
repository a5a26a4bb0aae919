package pcap

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Form is how a file is written.
type Form struct {
	Order interface {
		binary.ByteOrder
		binary.AppendByteOrder
	}
	Nano bool // nanoseconds, else microseconds
	Link Link
}

// AppendHeader appends the header of a file.
func (f Form) AppendHeader(dst []byte) []byte {
	magic := uint32(magicMicro)
	if f.Nano {
		magic = magicNano
	}
	dst = f.Order.AppendUint32(dst, magic)
	dst = f.Order.AppendUint16(dst, 2) // version 2.4
	dst = f.Order.AppendUint16(dst, 4)
	dst = f.Order.AppendUint64(dst, 0)
	dst = f.Order.AppendUint32(dst, MaxFrame)
	return f.Order.AppendUint32(dst, uint32(f.Link))
}

// AppendFrame appends a frame that was seen at a time.
func (f Form) AppendFrame(dst []byte, at time.Time, frame []byte) []byte {
	fraction := at.Nanosecond()
	if !f.Nano {
		fraction /= 1000
	}
	dst = f.Order.AppendUint32(dst, uint32(at.Unix()))
	dst = f.Order.AppendUint32(dst, uint32(fraction))
	dst = f.Order.AppendUint32(dst, uint32(len(frame)))
	dst = f.Order.AppendUint32(dst, uint32(len(frame)))
	return append(dst, frame...)
}

// AppendUDP appends a datagram as a frame of an Ethernet, of Linux's kinds, of a
// loopback or of IP alone, without checksums.
func (f Form) AppendUDP(dst []byte, d Datagram) []byte {
	kind := uint16(etherIPv4)
	if d.From.Addr().Is6() {
		kind = etherIPv6
	}
	switch f.Link {
	case LinkNull:
		family := map[uint16]uint32{etherIPv4: 2, etherIPv6: 30}[kind]
		dst = f.Order.AppendUint32(dst, family)
	case LinkLoop:
		family := map[uint16]uint32{etherIPv4: 2, etherIPv6: 30}[kind]
		dst = binary.BigEndian.AppendUint32(dst, family)
	case LinkEthernet:
		dst = binary.BigEndian.AppendUint16(append(dst, make([]byte, 12)...), kind)
	case LinkCooked:
		dst = binary.BigEndian.AppendUint16(append(dst, make([]byte, 14)...), kind)
	case LinkCooked2:
		dst = append(binary.BigEndian.AppendUint16(dst, kind), make([]byte, 18)...)
	}
	return appendIP(dst, d)
}

func appendIP(dst []byte, d Datagram) []byte {
	const header4, headerUDP = 20, 8
	size := headerUDP + len(d.Payload)
	if d.From.Addr().Is4() {
		dst = append(dst, 0x45, 0)
		dst = binary.BigEndian.AppendUint16(dst, uint16(header4+size))
		dst = append(dst, 0, 0, 0, 0, 1, protocolUDP, 0, 0)
	} else {
		dst = append(dst, 0x60, 0, 0, 0)
		dst = binary.BigEndian.AppendUint16(dst, uint16(size))
		dst = append(dst, protocolUDP, 1)
	}
	for _, a := range []netip.AddrPort{d.From, d.To} {
		dst = append(dst, a.Addr().AsSlice()...)
	}
	dst = binary.BigEndian.AppendUint16(dst, d.From.Port())
	dst = binary.BigEndian.AppendUint16(dst, d.To.Port())
	dst = binary.BigEndian.AppendUint16(dst, uint16(size))
	dst = append(dst, 0, 0)
	return append(dst, d.Payload...)
}

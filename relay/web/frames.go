package web

import (
	"encoding/binary"

	"github.com/tutti-audio/tutti/ostp"
)

// The forms in which a WebSocket client may have packets.
const (
	formFull  = iota // whole packets
	formRaw          // payload alone
	formRTP          // RTP header and payload
	formCount        // not a form
)

// WebSocket opcodes with FIN (RFC 6455, section 5.2).
const (
	opText   = 0x81
	opBinary = 0x82
	opClose  = 0x88
)

// formNamed returns the form that the query's format means.
func formNamed(format string, rawIsFull bool) (form int, ok bool) {
	switch format {
	case "", "ostp":
		return formFull, true
	case "raw":
		if rawIsFull {
			return formFull, true
		}
		return formRaw, true
	case "rtp":
		return formRTP, true
	}
	return 0, false
}

// encoders make the frame of each form. An empty frame is not sent: the packet has
// no such form.
func encoders() [formCount]func([]byte) []byte {
	return [formCount]func([]byte) []byte{
		formFull: func(packet []byte) []byte { return frame(opBinary, packet) },
		formRaw: func(packet []byte) []byte {
			var p ostp.Packet
			if ostp.ParsePacket(&p, packet) != nil || !sounds(&p) {
				return []byte{}
			}
			return frame(opBinary, p.Payload)
		},
		formRTP: func(packet []byte) []byte {
			var p ostp.Packet
			if ostp.ParsePacket(&p, packet) != nil || !sounds(&p) {
				return []byte{}
			}
			p.Extension, p.Extensions = false, nil
			header, err := p.Marshal()
			if err != nil {
				return []byte{}
			}
			return frame(opBinary, append(header, p.Payload...))
		},
	}
}

// sounds reports whether a packet is sound, and not about it.
func sounds(p *ostp.Packet) bool {
	pt := ostp.PayloadType(p.PayloadType)
	return pt != ostp.NACK && pt != ostp.FEC
}

// goingAway is the close frame of a server that stops (RFC 6455, section 7.4.1).
func goingAway() []byte { return frame(opClose, []byte{0x03, 0xE9}) }

// frame makes a whole unmasked frame of a payload below 64 KiB.
func frame(op byte, payload []byte) []byte {
	b := make([]byte, 0, 4+len(payload))
	if n := len(payload); n < 126 {
		b = append(b, op, byte(n))
	} else {
		b = binary.BigEndian.AppendUint16(append(b, op, 126), uint16(n))
	}
	return append(b, payload...)
}

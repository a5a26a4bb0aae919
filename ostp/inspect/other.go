package inspect

import (
	"encoding/binary"
	"fmt"
)

// isDTLS: a record of DTLS 1.0, 1.2 or 1.3's handshake.
func isDTLS(b []byte) bool {
	return len(b) >= 13 && b[0] >= 20 && b[0] <= 26 && b[1] == 0xFE && b[2] >= 0xFC
}

func explainDTLS(b []byte) Explanation {
	records := map[byte]string{20: "change cipher spec", 21: "alert", 22: "handshake", 23: "application data", 24: "heartbeat", 25: "connection id", 26: "ack"}
	e := Explanation{Kind: DTLS}
	for len(b) >= 13 {
		size, epoch := int(binary.BigEndian.Uint16(b[11:])), binary.BigEndian.Uint16(b[3:])
		name := records[b[0]]
		if b[0] == 22 && epoch == 0 && len(b) > 13 {
			name += " " + handshakeName(b[13])
		}
		if name == "" {
			name = fmt.Sprintf("type %d", b[0])
		}
		if e.Summary != "" {
			e.Summary += " + "
		}
		e.Summary += name
		e.add("record", "%s, version %02X%02X, epoch %d, sequence %d, %d bytes", name, b[1], b[2], epoch,
			binary.BigEndian.Uint64(b[3:])&(1<<48-1), size)
		if 13+size > len(b) {
			e.Problem = "a record is cut short"
			return e
		}
		b = b[13+size:]
	}
	return e
}

func handshakeName(kind byte) string {
	names := map[byte]string{
		0: "HelloRequest", 1: "ClientHello", 2: "ServerHello", 3: "HelloVerifyRequest", 4: "NewSessionTicket", 11: "Certificate",
		12: "ServerKeyExchange", 13: "CertificateRequest", 14: "ServerHelloDone", 15: "CertificateVerify", 16: "ClientKeyExchange", 20: "Finished",
	}
	if name, ok := names[kind]; ok {
		return name
	}
	return fmt.Sprintf("type %d", kind)
}

const stunCookie = 0x2112A442

func isSTUN(b []byte) bool {
	return len(b) >= 20 && b[0]>>6 == 0 && binary.BigEndian.Uint32(b[4:]) == stunCookie && int(binary.BigEndian.Uint16(b[2:]))+20 == len(b)
}

func explainSTUN(b []byte) Explanation {
	kind := binary.BigEndian.Uint16(b)
	class := []string{"request", "indication", "success", "error"}[kind>>7&2|kind>>4&1]
	method := kind&0xF | kind>>1&0x70 | kind>>2&0xF80
	methods := map[uint16]string{1: "Binding", 3: "Allocate", 4: "Refresh", 6: "Send", 7: "Data", 8: "CreatePermission", 9: "ChannelBind"}
	name := methods[method]
	if name == "" {
		name = fmt.Sprintf("method %d", method)
	}
	e := Explanation{Kind: STUN, Summary: name + " " + class}
	e.add("type", "%04X (%s %s)", kind, name, class)
	e.add("length", "%d", binary.BigEndian.Uint16(b[2:]))
	e.add("transaction", "%X", b[8:20])
	attributes := map[uint16]string{
		1: "MAPPED-ADDRESS", 6: "USERNAME", 8: "MESSAGE-INTEGRITY", 9: "ERROR-CODE", 0x20: "XOR-MAPPED-ADDRESS", 0x24: "PRIORITY",
		0x25: "USE-CANDIDATE", 0x8022: "SOFTWARE", 0x8028: "FINGERPRINT", 0x8029: "ICE-CONTROLLED", 0x802A: "ICE-CONTROLLING",
	}
	for rest := b[20:]; len(rest) >= 4; {
		at, size := binary.BigEndian.Uint16(rest), int(binary.BigEndian.Uint16(rest[2:]))
		name := attributes[at]
		if name == "" {
			name = fmt.Sprintf("attribute %04X", at)
		}
		e.add(name, "%s", some(rest[4:min(4+size, len(rest))]))
		rest = rest[min(4+(size+3)&^3, len(rest)):]
	}
	return e
}

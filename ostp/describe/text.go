package describe

import (
	"strconv"
	"time"

	"github.com/tutti-audio/tutti/ostp"
)

// The DNS-SD service types: ours, and those that existing clients look for.
const (
	ServiceType  = "_ostp._udp"
	LegacyUDP    = "_soluna._udp"
	LegacyTCP    = "_soluna._tcp"
	RoleSource   = "source"
	RoleGateway  = "gateway"
	RoleSpeaker  = "speaker"
	textVersion  = "1"
	versionValue = "ver"
)

// Text returns the TXT keys of a source or gateway: enough to list it and to fetch the
// full description.
func (s *Stream) Text(id, room, version string) map[string]string {
	role := RoleSource
	if s.Term != 0 {
		role = RoleGateway
	}
	return map[string]string{
		"txtvers": textVersion, "role": role, "term": strconv.FormatUint(uint64(s.Term), 10), versionValue: version, "id": id, "name": s.Name, "room": room,
		"channel": s.Channel, "ssrc": strconv.FormatUint(uint64(s.SSRC), 10), "stream_id": itoa(s.StreamID),
		"pt": itoa(uint8(s.Codec)), "rate": "48000", "channels": strconv.Itoa(s.Channels),
		"group": s.Group.String(), "port": itoa(s.Port), "clock": itoa(s.Clock), "http": itoa(s.HTTP),
		"latency": strconv.FormatInt(s.Latency.Microseconds(), 10),
	}
}

// Announced is what a source's or gateway's TXT record says.
type Announced struct {
	ID      string
	Term    uint32 // of a gateway; 0: the source itself
	Channel string
	Name    string
	Via     string // of a gateway: the speaker that it is,
	Relay   string // and which relay it knows, as a tag
	SSRC    uint32
	Codec   ostp.PayloadType
	HTTP    uint16
	Latency time.Duration
}

// ParseText reads a source's or gateway's TXT keys. ok is false when it is none of ours.
func ParseText(text map[string]string) (a Announced, ok bool) {
	number := func(key string, bits int) uint64 {
		v, err := strconv.ParseUint(text[key], 10, bits)
		ok = ok && err == nil
		return v
	}
	gateway := text["role"] == RoleGateway
	ok = (gateway || text["role"] == RoleSource) && ostp.CheckChannel(text["channel"]) == nil
	a = Announced{
		ID:      text["id"],
		Channel: text["channel"], Name: text["name"], SSRC: uint32(number("ssrc", 32)),
		Codec: ostp.PayloadType(number("pt", 7)), HTTP: uint16(number("http", 16)),
		Latency: time.Duration(number("latency", 32)) * time.Microsecond,
	}
	if gateway {
		a.Via, a.Relay = text["room"], text["relay"]
		a.Term = uint32(number("term", 32))
		ok = ok && a.Term != 0
	}
	return a, ok
}

// Package line is the control lines between members and a relay (docs/spec,
// section 5): `VERB:a:b\n`, one in a datagram, UTF-8 without control characters.
//
// [Parse] also takes a line that ends in CR LF or in nothing, and JOIN, LEAVE and
// PING with spaces in place of colons. [Append] always writes colons and one LF.
// What Parse returns, Append writes so that Parse returns it again. IPv6
// addresses stand in brackets, as in [::1]:5100. Sizes are in bytes. Everything
// here is a value without state.
package line

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits in bytes, the line's end included.
const (
	Max       = 512  // any line but SIGNAL
	MaxSignal = 1024 // SIGNAL
	MaxBlob   = 1000 // SIGNAL's payload
	MaxText   = 128  // a password, name, device id, or a PING's text
	IDSize    = 8    // hexadecimal digits of a member's public id
)

// What can be wrong with bytes that claim to be a line; errors of this package
// wrap one of these.
var (
	ErrTooLong = errors.New("line is too long")
	ErrFormat  = errors.New("line is malformed")
	ErrVerb    = errors.New("verb is not known")
)

// Role is what a member may do.
type Role string

// The roles.
const (
	Owner    Role = "owner"    // created the channel, and sends
	DJ       Role = "dj"       // knows the password for sending
	Listener Role = "listener" // hears
)

// Sends reports whether a member of this role may send media.
func (r Role) Sends() bool { return r == Owner || r == DJ }

// Word is what an ERR line says.
type Word string

// The words of ERR.
const (
	EmptyGroup    Word = "empty_group"
	WrongPassword Word = "wrong_password"
	GroupFull     Word = "group_full"
	NoPermission  Word = "no_permission"
	NotInGroup    Word = "not_in_group"
	InvalidFormat Word = "invalid_format"
	InvalidName   Word = "invalid_name"
	RateLimited   Word = "rate_limited"
	RelayFull     Word = "relay_full"
	Draining      Word = "draining"
)

// Line is one control line: a Join, Leave, Hello, Ping, PingPeer, Pong, Route,
// Challenge, Signal, OK, RoleIs, YourAddr, Session, Mode, Peer, Err, ID, Member,
// Gone, Description or Move.
type Line interface{ appendTo(b []byte) []byte }

// To a relay, and where noted back from it.
type (
	// Join asks for membership. Options are ours: a relay that does not know them
	// takes them as part of the device id.
	Join struct {
		Channel, Password, Name, Device string
		Options                         Options
	}
	// Leave ends membership; Channel may be empty.
	Leave struct{ Channel string }
	// Hello keeps a NAT's mapping and a membership; nothing answers it.
	Hello struct{ Text string }
	// Ping asks for a Pong with the same text.
	Ping struct{ Text string }
	// PingPeer is passed on to the member at Peer, bearing the sender's address.
	PingPeer struct {
		Peer netip.AddrPort
		Time string
	}
	// Route tells by which way a peer is reached now.
	Route struct {
		Peer  netip.AddrPort
		Relay bool // else peer to peer
	}
	// Challenge is sent by a relay to an address, and comes back as it was.
	Challenge struct{ Token string }
	// Signal carries Payload (base64url) to the member ID; as it arrives, ID is the
	// one who sent it.
	Signal struct{ ID, Payload string }
)

// From a relay.
type (
	// OK says what was done.
	OK struct{ Text string }
	// RoleIs tells a member its role.
	RoleIs struct{ Role Role }
	// YourAddr is the address from which a member is seen.
	YourAddr struct{ Addr netip.AddrPort }
	// Session is the secret, 32 hexadecimal digits, by which HTTP knows a member.
	Session struct{ ID string }
	// Mode tells whether a channel has a password.
	Mode struct{ Private bool }
	// Peer is another member's address.
	Peer struct{ Addr netip.AddrPort }
	// Pong answers a Ping.
	Pong struct{ Text string }
	// Err says why something was not done.
	Err struct{ Word Word }
	// ID is a member's own public id.
	ID struct{ ID string }
	// Member is another member that may send, or a new role of one.
	Member struct {
		ID   string
		Role Role
	}
	// Gone says that such a member left.
	Gone struct{ ID string }
	// Description says that the stream's description is another now.
	Description struct{ ETag string }
	// Move asks a member to go to another relay; empty: to any other.
	Move struct{ Relay string }
)

// Options are what a member asks for at JOIN.
type Options struct {
	FEC   bool // send me FEC packets
	Send  bool // I intend to send
	Quiet bool // send me no media: I am here to be found
}

// Append appends a line with its LF to dst. It fails on fields that a reader
// would not read back as they are, and leaves dst as it was.
func Append(dst []byte, l Line) ([]byte, error) {
	start := len(dst)
	dst = append(l.appendTo(dst), '\n')
	if again, err := Parse(dst[start:]); err != nil || again != l {
		return dst[:start], fmt.Errorf("%w: %T has a field that cannot be written", ErrFormat, l)
	}
	return dst, nil
}

// Parse reads one datagram that holds one line. It never keeps b.
func Parse(b []byte) (Line, error) {
	text, ok := strings.CutSuffix(string(b[:min(len(b), MaxSignal+1)]), "\n")
	if ok {
		text = strings.TrimSuffix(text, "\r")
	}
	verb, rest, colon := cutVerb(text)
	if len(b) > MaxSignal || len(b) > Max && verb != "SIGNAL" {
		return nil, fmt.Errorf("%w: %d bytes, at most %d, and %d for SIGNAL", ErrTooLong, len(b), Max, MaxSignal)
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7F }) {
		return nil, fmt.Errorf("%w: not UTF-8 text of one line", ErrFormat)
	}
	if l, known := parseText(verb, rest, colon); known {
		return l, nil
	}
	l, known := parseChecked(verb, rest)
	switch {
	case !known:
		return nil, fmt.Errorf("%w: %.16q", ErrVerb, verb)
	case l == nil:
		return nil, fmt.Errorf("%w: %s", ErrFormat, verb)
	}
	return l, nil
}

// cutVerb parts a line behind its verb; colon tells whether a colon stood there.
func cutVerb(text string) (verb, rest string, colon bool) {
	i := strings.IndexAny(text, ": ")
	if i < 0 {
		return text, "", false
	}
	verb = text[:i]
	if text[i] == ':' {
		return verb, text[i+1:], true
	}
	if verb == "JOIN" || verb == "LEAVE" || verb == "PING" {
		return verb, strings.Join(strings.Fields(text[i:]), ":"), true
	}
	return text, "", false
}

// parseText reads the lines that any text is good for.
func parseText(verb, rest string, colon bool) (l Line, known bool) {
	if len(rest) > MaxText {
		return nil, false
	}
	switch verb {
	case "LEAVE":
		return Leave{rest}, true
	case "HELLO":
		return Hello{rest}, true
	case "PONG":
		return Pong{rest}, true
	case "OK":
		return OK{rest}, true
	case "PING":
		if peer, stamp, ok := cutAddr(rest); ok && colon && stamp != "" {
			return PingPeer{peer, stamp}, true
		}
		return Ping{rest}, true
	case "MOVE":
		return Move{rest}, true
	}
	return nil, false
}

// parseChecked reads the others; l is nil when a field is wrong.
func parseChecked(verb, rest string) (l Line, known bool) {
	switch verb {
	case "JOIN":
		return parseJoin(rest), true
	case "ROUTE":
		return parseRoute(rest), true
	case "SIGNAL":
		id, payload, _ := strings.Cut(rest, ":")
		return when(isHex(id, IDSize) && isBlob(payload), Signal{id, payload}), true
	case "CHALLENGE":
		return when(isWord(rest), Challenge{rest}), true
	case "ROLE":
		return when(isRole(rest), RoleIs{Role(rest)}), true
	case "YOUR_ADDR", "PEER":
		addr, more, ok := cutAddr(rest)
		if verb == "PEER" {
			return when(ok && more == "", Peer{addr}), true
		}
		return when(ok && more == "", YourAddr{addr}), true
	case "SESSION":
		return when(isHex(rest, 32), Session{rest}), true
	case "MODE":
		return when(rest == "public" || rest == "private", Mode{rest == "private"}), true
	case "ERR":
		return when(isWord(rest), Err{Word(rest)}), true
	case "ID":
		return when(isHex(rest, IDSize), ID{rest}), true
	case "MEMBER":
		id, role, _ := strings.Cut(rest, ":")
		return when(isHex(id, IDSize) && isRole(role), Member{id, Role(role)}), true
	case "GONE":
		return when(isHex(rest, IDSize), Gone{rest}), true
	case "DESCRIPTION":
		return when(isWord(rest), Description{rest}), true
	case "LEAVE", "HELLO", "PONG", "OK", "PING", "MOVE":
		return nil, true // too long
	}
	return nil, false
}

func when(ok bool, l Line) Line {
	if ok {
		return l
	}
	return nil
}

func parseJoin(rest string) Line {
	var j Join
	j.Channel, rest, _ = strings.Cut(rest, ":")
	j.Password, rest, _ = strings.Cut(rest, ":")
	j.Name, j.Device, _ = strings.Cut(rest, ":")
	if i := strings.LastIndexByte(j.Device, ':'); i >= 0 {
		if o, ok := parseOptions(j.Device[i+1:]); ok {
			j.Device, j.Options = j.Device[:i], o
		}
	}
	if j.Channel == "" || max(len(j.Channel), len(j.Password), len(j.Name), len(j.Device)) > MaxText {
		return nil
	}
	if _, more := parseOptions(j.Device[strings.LastIndexByte(j.Device, ':')+1:]); more && strings.Contains(j.Device, ":") {
		return nil // options twice
	}
	return j
}

// parseOptions reads words between commas; one that is unknown is passed over,
// but the first must be known, or this is a part of a device id.
func parseOptions(text string) (o Options, ok bool) {
	for i, word := range strings.Split(text, ",") {
		switch word {
		case "fec":
			o.FEC = true
		case "send":
			o.Send = true
		case "quiet":
			o.Quiet = true
		default:
			if i == 0 {
				return o, false
			}
		}
	}
	return o, true
}

func parseRoute(rest string) Line {
	peer, way, ok := cutAddr(rest)
	return when(ok && (way == "p2p" || way == "relay"), Route{peer, way == "relay"})
}

// cutAddr reads ip:port, in brackets if it is IPv6, and what follows a colon.
func cutAddr(text string) (a netip.AddrPort, rest string, ok bool) {
	from := 0
	if strings.HasPrefix(text, "[") {
		from = max(strings.IndexByte(text, ']'), 0)
	}
	port := strings.IndexByte(text[from:], ':')
	if port < 0 {
		return a, "", false
	}
	port += from + 1
	end := len(text)
	if i := strings.IndexByte(text[port:], ':'); i >= 0 {
		end, rest = port+i, text[port+i+1:]
	}
	a, err := netip.ParseAddrPort(text[:end])
	ok = err == nil && a.Addr().Zone() == "" && !a.Addr().Is4In6() && (a.Addr().Is4() == (from == 0))
	return a, rest, ok
}

func isRole(s string) bool { return Role(s) == Owner || Role(s) == DJ || Role(s) == Listener }

func isHex(s string, n int) bool {
	return len(s) == n && !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789abcdef", r) })
}

// isWord is 1 to 64 letters, digits, - and _.
func isWord(s string) bool { return len(s) <= 64 && isBlob(s) }

func isBlob(s string) bool {
	return s != "" && len(s) <= MaxBlob && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && r != '_' && r != '=' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

// orNothing appends a verb, and text behind a colon if there is any.
func orNothing(b []byte, verb, text string) []byte {
	b = append(b, verb...)
	if text == "" {
		return b
	}
	return append(append(b, ':'), text...)
}

func appendAddr(b []byte, a netip.AddrPort) []byte {
	if a.Addr().Is4() {
		b = a.Addr().AppendTo(b)
	} else {
		b = append(a.Addr().AppendTo(append(b, '[')), ']')
	}
	return strconv.AppendUint(append(b, ':'), uint64(a.Port()), 10)
}

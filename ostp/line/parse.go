package line

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"
)

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

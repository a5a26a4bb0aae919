package setup

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
)

// Change is what is set anew in a tutti.toml; what is empty stays as it is there.
type Change struct {
	Name, Room    string // the agent's
	WiFi, Country string // the device's
	Secret        bool   // WiFi has a passphrase, which is stored elsewhere
}

// Apply returns a tutti.toml with the change, in all else as it was: a line that is
// there is replaced, a commented one is used, and else one is added. A passphrase is
// taken out. What comes back reads as it should, or there is an error.
func (c Change) Apply(text []byte) ([]byte, error) {
	lines := strings.Split(strings.TrimSuffix(string(Forget(text)), "\n"), "\n")
	for _, one := range []struct{ table, key, value string }{
		{"", "name", c.Name}, {"", "room", c.Room}, {deviceTable, "wifi", c.WiFi}, {deviceTable, "country", c.Country},
	} {
		if one.value != "" {
			lines = assign(lines, one.table, one.key, one.value)
		}
	}
	if c.WiFi != "" {
		lines = mark(lines, c.Secret)
	}
	out := []byte(strings.Join(lines, "\n") + "\n")
	s, err := Parse(out)
	if err != nil {
		return nil, err
	}
	name, room, err := s.Names()
	if err != nil {
		return nil, err
	}
	for _, pair := range [][2]string{{c.Name, name}, {c.Room, room}, {c.WiFi, s.Device.WiFi}, {c.Country, s.Device.Country}} {
		if pair[0] != "" && pair[0] != pair[1] {
			return nil, fmt.Errorf("tutti.toml: %q cannot be written into it: write it there by hand", pair[0])
		}
	}
	return out, nil
}

// Names returns name and room of the agent's part.
func (s *Settings) Names() (name, room string, err error) {
	var names struct{ Name, Room string }
	if err := toml.Unmarshal(s.Agent, &names); err != nil {
		return "", "", explain(err)
	}
	return names.Name, names.Room, nil
}

const deviceTable = "device"

// tableOf returns the table that a header line opens.
func tableOf(line string) (name string, ok bool) {
	trimmed := strings.TrimSpace(line)
	if !strings.HasPrefix(trimmed, "[") {
		return "", false
	}
	name, _, _ = strings.Cut(strings.Trim(trimmed, "[]"), "]")
	return strings.TrimSpace(name), true
}

// assign sets a key of a table; "" is what stands before all tables.
func assign(lines []string, table, key, value string) []string {
	line := key + " = " + quote(value)
	now, header, commented := "", -1, -1
	if table == "" {
		header = 0
	}
	for i, l := range lines {
		if name, ok := tableOf(l); ok {
			if now = name; name == table && header < 0 {
				header = i + 1
			}
			continue
		}
		if now != table {
			continue
		}
		left, _, isPair := strings.Cut(l, "=")
		switch left = strings.TrimSpace(left); {
		case isPair && left == key:
			lines[i] = line
			return lines
		case isPair && commented < 0 && strings.TrimSpace(strings.TrimPrefix(left, "#")) == key:
			commented = i
		}
	}
	switch {
	case commented >= 0:
		lines[commented] = line
		return lines
	case header < 0:
		return append(lines, "", "["+table+"]", line)
	}
	return append(lines[:header], append([]string{line}, lines[header:]...)...)
}

// mark puts a line behind the network's name that says that its passphrase is kept
// elsewhere; what stood for a passphrase before goes.
func mark(lines []string, secret bool) (out []string) {
	now := ""
	for _, l := range lines {
		if name, ok := tableOf(l); ok {
			now = name
		}
		comment, isComment := strings.CutPrefix(strings.TrimSpace(l), "#")
		if now == deviceTable && isComment && (strings.TrimSpace(l) == forgotten || strings.HasPrefix(strings.TrimSpace(comment), "passphrase =")) {
			continue
		}
		out = append(out, l)
		if key, _, isPair := strings.Cut(l, "="); secret && now == deviceTable && isPair && strings.TrimSpace(key) == "wifi" {
			out = append(out, forgotten)
		}
	}
	return out
}

// quote writes a text as TOML does.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f || r == utf8.RuneError:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

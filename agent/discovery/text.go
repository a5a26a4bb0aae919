package discovery

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Limits of a TXT record: of one pair by RFC 6763 section 6.1, of all so that an
// announcement fits into one packet.
const (
	maxPair = 255
	maxText = 1300
)

// encodeText returns the strings of a TXT record, sorted by key and in the
// presentation form of miekg/dns.
func encodeText(text map[string]string) ([]string, error) {
	if len(text) == 0 {
		return []string{""}, nil
	}
	var out []string
	total, seen := 0, map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(text)) {
		if err := checkKey(key); err != nil {
			return nil, err
		}
		if seen[strings.ToLower(key)] {
			return nil, fmt.Errorf("discovery: TXT key %q is there twice in different case; keep one", key)
		}
		seen[strings.ToLower(key)] = true
		pair := key + "=" + text[key]
		if len(pair) > maxPair {
			return nil, fmt.Errorf("discovery: TXT pair %q has %d bytes; shorten its value to %d", key, len(pair), maxPair-len(key)-1)
		}
		total += len(pair) + 1
		out = append(out, strings.ReplaceAll(pair, `\`, `\\`))
	}
	if total > maxText {
		return nil, fmt.Errorf("discovery: the TXT record has %d bytes; shorten it to %d", total, maxText)
	}
	return out, nil
}

// checkKey refuses what RFC 6763 section 6.4 does.
func checkKey(key string) error {
	if key == "" {
		return fmt.Errorf("discovery: a TXT key is empty; give it a name")
	}
	for _, c := range []byte(key) {
		if c < 0x20 || c > 0x7e || c == '=' {
			return fmt.Errorf("discovery: TXT key %q: use printable ASCII without '='", key)
		}
	}
	return nil
}

// decodeText reads the strings of a received TXT record. Keys become lower case;
// of a key that is there twice the first counts; a key without a value has "".
func decodeText(strs []string) map[string]string {
	text := make(map[string]string, len(strs))
	for _, s := range strs {
		key, value, _ := strings.Cut(unescape(s), "=")
		key = strings.ToLower(key)
		if _, twice := text[key]; twice || checkKey(key) != nil {
			continue
		}
		text[key] = value
	}
	return text
}

// unescape undoes the presentation form of a character string.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out = append(out, s[i])
			continue
		}
		i++
		if i+2 < len(s) && isDigit(s[i]) && isDigit(s[i+1]) && isDigit(s[i+2]) {
			out = append(out, (s[i]-'0')*100+(s[i+1]-'0')*10+s[i+2]-'0')
			i += 2
			continue
		}
		out = append(out, s[i])
	}
	return string(out)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

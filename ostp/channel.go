package ostp

import (
	"fmt"
	"strings"
)

// maxChannelName is the longest channel name, in bytes.
const maxChannelName = 64

// CheckChannel reports what is wrong with a channel name, or nil: 1 to 64 bytes
// of A–Z a–z 0–9 . _ / -, a letter or digit first and last, and no "..".
func CheckChannel(name string) error {
	fail := func(why string) error {
		return fmt.Errorf("channel name %q %s: use 1 to 64 of A-Z a-z 0-9 . _ / - with a letter or digit first and last", name, why)
	}
	switch {
	case name == "":
		return fail("is empty")
	case len(name) > maxChannelName:
		return fail(fmt.Sprintf("has %d bytes", len(name)))
	case strings.Contains(name, ".."):
		return fail("contains \"..\"")
	case !alphanumeric(name[0]) || !alphanumeric(name[len(name)-1]):
		return fail("begins or ends with punctuation")
	}
	for i := range len(name) {
		if c := name[i]; !alphanumeric(c) && !strings.ContainsRune("._/-", rune(c)) {
			return fail(fmt.Sprintf("contains %q", c))
		}
	}
	return nil
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

package discovery

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/miekg/dns"
)

// name is a domain name in wire form with ASCII letters in lower case, so that
// names are equal in DNS exactly when they are equal in Go.
type name string

// nameOf converts a name in presentation form; what cannot be one becomes "",
// which no record has.
func nameOf(s string) name { return name(lower(wireName(s))) }

// wireName returns a presentation-form name in wire form, case kept.
func wireName(s string) []byte {
	var buf [256]byte
	n, err := dns.PackDomainName(s, buf[:], 0, nil, false)
	if err != nil {
		return nil
	}
	return append([]byte(nil), buf[:n]...)
}

// lower changes ASCII letters in place. Label lengths are below 64, so in a wire
// form name only letters change.
func lower(b []byte) []byte {
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return b
}

// firstLabel returns the raw first label of a presentation-form name: of an
// instance's name, what people read.
func firstLabel(s string) string {
	w := wireName(s)
	if len(w) == 0 || int(w[0]) >= len(w) {
		return ""
	}
	return string(w[1 : 1+w[0]])
}

// escapeLabel returns a raw label in presentation form.
func escapeLabel(raw string) string {
	var b strings.Builder
	for i := range len(raw) {
		switch c := raw[i]; {
		case c == '.' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c <= ' ' || c >= 0x7f:
			fmt.Fprintf(&b, "\\%03d", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// hostLabel makes a host name's label of any text: letters, digits and hyphens,
// at most 40 bytes.
func hostLabel(s string) string {
	s, _, _ = strings.Cut(s, ".")
	clean := strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z') {
			return r
		}
		return '-'
	}, s)
	clean = strings.Trim(clean[:min(len(clean), 40)], "-")
	if clean == "" {
		return "tutti"
	}
	return clean
}

// renamed returns the n-th name of an instance: "Kitchen", "Kitchen (2)", ...,
// cut so that it fits into a label.
func renamed(instance string, n int) string {
	if n < 2 {
		return instance
	}
	suffix := fmt.Sprintf(" (%d)", n)
	for len(instance)+len(suffix) > 63 {
		_, size := utf8.DecodeLastRuneInString(instance)
		instance = instance[:len(instance)-size]
	}
	return instance + suffix
}

// rdata returns a record's data in uncompressed wire form, names in it in lower
// case: two records of one name and type are the same if it is equal. It is ""
// for what cannot be packed, and for data larger than we keep.
func rdata(rr dns.RR) string {
	buf := make([]byte, dns.Len(rr)+16)
	n, err := dns.PackRR(rr, buf, 0, nil, false)
	if err != nil {
		return ""
	}
	const fixed = 10 // type, class, life and length
	from := len(wireName(rr.Header().Name)) + fixed
	if from > n || n-from > maxRecordBytes {
		return ""
	}
	data := buf[from:n]
	switch rr.Header().Rrtype {
	case dns.TypePTR:
		lower(data)
	case dns.TypeSRV:
		lower(data[min(6, len(data)):])
	}
	return string(data)
}

package config

import (
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Print writes c as a file that Parse reads, every key explained. Secrets are left
// out.
func Print(w io.Writer, c Config) error {
	var b strings.Builder
	b.WriteString("# Settings of a Tutti relay. Every key may be left out; what stands here is then\n# used. The running relay takes a changed file over, but for addresses, [tls] and [turn].\n")
	table := ""
	for _, k := range keys(reflect.ValueOf(&c).Elem(), "") {
		b.WriteByte('\n')
		k.print(&b, &table)
	}
	b.WriteString("\n# A channel with passwords of its own:\n# [channel.\"house/party\"]\n")
	for _, k := range keys(reflect.ValueOf(&Channel{}).Elem(), "") {
		fmt.Fprintf(&b, "# %s = \"…\"  # %s\n", k.name, k.tag.Get("doc"))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Channel)) {
		fmt.Fprintf(&b, "\n[channel.%s] # its passwords are not shown\n", strconv.Quote(name))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// print writes one key, and the head of its table before the table's first.
func (k key) print(b *strings.Builder, table *string) {
	short := k.name
	if t, rest, ok := strings.Cut(k.name, "."); ok {
		if short = rest; t != *table {
			*table = t
			fmt.Fprintf(b, "[%s]\n\n", t)
		}
	}
	doc := k.tag.Get("doc")
	if r := k.tag.Get("range"); r != "" {
		doc += " (" + strings.Replace(r, "-", " to ", 1) + ")"
	}
	for len(doc) > 0 {
		line := doc
		if len(line) > 78 {
			line = doc[:strings.LastIndexByte(doc[:78], ' ')]
		}
		fmt.Fprintf(b, "# %s\n", line)
		doc = strings.TrimSpace(doc[len(line):])
	}
	if k.tag.Get("secret") != "" {
		short = "# " + short
	}
	fmt.Fprintf(b, "%s = %s\n", short, k.text())
}

// text is the value as TOML, a secret's without it.
func (k key) text() string {
	switch v := k.value.Interface().(type) {
	case string:
		if k.tag.Get("secret") != "" {
			return `""`
		}
		return strconv.Quote(v)
	case []string:
		quoted := make([]string, len(v))
		for i := range v {
			quoted[i] = strconv.Quote(v[i])
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	default:
		return fmt.Sprint(v)
	}
}

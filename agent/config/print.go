package config

import (
	"fmt"
	"io"
	"strings"
)

// width is where comments are wrapped, in characters.
const width = 78

// Print writes c as a file that Parse reads, every key explained. A secret is
// left out: the file is often pasted somewhere to ask for help.
func Print(w io.Writer, c Config) error {
	var b strings.Builder
	b.WriteString("# Settings of a Tutti speaker. Every key may be left out; what stands here is\n" +
		"# then used. It is read from --config FILE, $XDG_CONFIG_HOME/tutti/tutti.toml or\n" +
		"# /etc/tutti/tutti.toml, the first that is there; flags of `tutti run` win over it.\n")
	table := ""
	for _, k := range Keys() {
		short := k.Name
		if t, rest, ok := strings.Cut(k.Name, "."); ok {
			short = rest
			if t != table {
				fmt.Fprintf(&b, "\n[%s]\n", t)
				table = t
			}
		}
		b.WriteByte('\n')
		b.WriteString(wrap(k.Help()))
		b.WriteString(k.line(short, c))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Help is what a person needs to know to set the key.
func (k Key) Help() string {
	if k.Range == "" {
		return k.Doc
	}
	return k.Doc + " (" + k.Range + ")"
}

// line is the assignment; an empty value with an example is commented out.
func (k Key) line(short string, c Config) string {
	text := k.Text(c)
	switch {
	case k.Secret && text != "":
		return fmt.Sprintf("# %s = \"…\" is set, and not shown\n", short)
	case k.Secret:
		return fmt.Sprintf("# %s = \"\"\n", short)
	case text == "" && k.Example != "":
		return fmt.Sprintf("# %s = %s\n", short, quote(k.Example))
	case k.Type() == "string":
		return fmt.Sprintf("%s = %s\n", short, quote(text))
	}
	return fmt.Sprintf("%s = %s\n", short, text)
}

// quote makes a TOML basic string.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7F:
			fmt.Fprintf(&b, "\\u%04X", r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// wrap makes comment lines.
func wrap(text string) string {
	var b strings.Builder
	used := 0
	for _, word := range strings.Fields(text) {
		if used == 0 || used+1+len(word) > width {
			if used > 0 {
				b.WriteByte('\n')
			}
			b.WriteByte('#')
			used = 1
		}
		b.WriteString(" " + word)
		used += 1 + len(word)
	}
	b.WriteByte('\n')
	return b.String()
}

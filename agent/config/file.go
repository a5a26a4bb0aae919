package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/tutti-audio/tutti/internal/nearest"
)

// maxFile is the longest file that is read, in bytes.
const maxFile = 64 << 10

// maxProblems is how many problems of a file are told at once.
const maxProblems = 10

// Locate returns the file to read: the given one, else the user's, else the
// system's, else none.
func Locate(given string, getenv func(string) string) string {
	if given != "" {
		return given
	}
	user := getenv("XDG_CONFIG_HOME")
	if home := getenv("HOME"); user == "" && home != "" {
		user = filepath.Join(home, ".config")
	}
	for _, dir := range []string{filepath.Join(user, "tutti"), "/etc/tutti"} {
		path := filepath.Join(dir, "tutti.toml")
		if _, err := os.Stat(path); err == nil && filepath.IsAbs(path) {
			return path
		}
	}
	return ""
}

// Load reads a file on top of the defaults.
func Load(path string) (Config, error) {
	c := Default()
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, fmt.Errorf("%s is not there: `tutti run --print-config` prints one to begin with", path)
	}
	if err != nil {
		return c, fmt.Errorf("cannot read the configuration: %w", err)
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return c, fmt.Errorf("cannot read the configuration: %w", err)
	}
	if len(b) > maxFile {
		return c, fmt.Errorf("%s is longer than %d bytes: that is no tutti.toml", path, maxFile)
	}
	return c, Parse(path, b, &c)
}

// Parse reads the text of a file into c. The error tells every problem, with name
// and line.
func Parse(name string, text []byte, c *Config) error {
	r := reader{name: name, config: c, seen: map[string]int{}}
	r.parser.Reset(text)
	for r.parser.NextExpression() && len(r.problems) < maxProblems {
		r.expression(r.parser.Expression())
	}
	if err := r.parser.Error(); err != nil {
		r.syntax(err)
	}
	return errors.Join(r.problems...)
}

// reader is a file being read.
type reader struct {
	name     string
	config   *Config
	parser   unstable.Parser
	table    string         // that the present line is in, with its dot
	skip     bool           // the table is unknown, and that was said
	seen     map[string]int // line of each key and table
	problems []error
}

func (r *reader) fail(line int, format string, args ...any) {
	r.problems = append(r.problems, fmt.Errorf("%s:%d: %w", r.name, line, fmt.Errorf(format, args...)))
}

// line returns the line of a part of the text.
func (r *reader) line(part unstable.Range) int { return r.parser.Shape(part).Start.Line }

func (r *reader) syntax(err error) {
	line := 1
	var parse *unstable.ParserError
	if errors.As(err, &parse) && len(parse.Highlight) > 0 {
		line = r.line(r.parser.Range(parse.Highlight))
	}
	r.fail(line, "%s", err.Error())
}

// keyOf joins the parts of an expression's key.
func (r *reader) keyOf(e *unstable.Node) (name string, line int) {
	var parts []string
	for it := e.Key(); it.Next(); {
		if line == 0 {
			line = r.line(it.Node().Raw)
		}
		parts = append(parts, string(it.Node().Data))
	}
	return strings.Join(parts, "."), line
}

func (r *reader) expression(e *unstable.Node) {
	name, line := r.keyOf(e)
	if e.Kind == unstable.KeyValue {
		if !r.skip {
			r.assign(r.table+name, line, e.Value())
		}
		return
	}
	r.table, r.skip = name+".", false
	switch tables := tableNames(); {
	case e.Kind == unstable.ArrayTable:
		r.fail(line, "[[%s]] is a list of tables, and there is none: use [%s]", name, name)
		r.skip = true
	case !slices.Contains(tables, name):
		r.fail(line, "unknown table [%s]%s", name, orList(name, tables))
		r.skip = true
	default:
		r.once("["+name+"]", line)
	}
}

// once reports whether a key or table is there for the first time.
func (r *reader) once(name string, line int) bool {
	if first, again := r.seen[name]; again {
		r.fail(line, "%s is set again: line %d sets it already, remove one", name, first)
		return false
	}
	r.seen[name] = line
	return true
}

// assign sets one key.
func (r *reader) assign(name string, line int, value *unstable.Node) {
	if value.Kind == unstable.InlineTable {
		for it := value.Children(); it.Next(); {
			inner, line := r.keyOf(it.Node())
			r.assign(name+"."+inner, line, it.Node().Value())
		}
		return
	}
	key, known := Find(name)
	if !known {
		short := strings.TrimPrefix(name, r.table)
		r.fail(line, "unknown key %q%s", short, r.suggest(name))
		return
	}
	if !r.once(name, line) {
		return
	}
	if want := wanted(key.Type()); !slices.Contains(want, value.Kind) {
		r.fail(line, "%s takes a value of type %s%s", name, key.Type(), quoteHint(key, value))
		return
	}
	if err := key.Set(r.config, string(value.Data)); err != nil {
		r.fail(line, "%s: %w", name, err)
	}
}

// suggest names the key that was meant, wherever that belongs.
func (r *reader) suggest(name string) string {
	var names, last []string
	for _, k := range Keys() {
		names = append(names, k.Name)
		last = append(last, k.Name[strings.LastIndexByte(k.Name, '.')+1:])
	}
	short := name[strings.LastIndexByte(name, '.')+1:]
	near := nearest.To(short, last)
	if near == "" {
		return ": `tutti run --print-config` lists them all"
	}
	full := names[slices.Index(last, near)]
	table, _, inTable := strings.Cut(full, ".")
	switch {
	case full == r.table+near:
		return fmt.Sprintf(": did you mean %q?", near)
	case inTable:
		return fmt.Sprintf(": did you mean %q in [%s]?", near, table)
	}
	return fmt.Sprintf(": did you mean %q, above all tables?", near)
}

// wanted lists the kinds of value that a type takes.
func wanted(kind string) []unstable.Kind {
	switch kind {
	case "integer":
		return []unstable.Kind{unstable.Integer}
	case "number":
		return []unstable.Kind{unstable.Integer, unstable.Float}
	case "boolean":
		return []unstable.Kind{unstable.Bool}
	}
	return []unstable.Kind{unstable.String}
}

func quoteHint(k Key, value *unstable.Node) string {
	switch {
	case k.Secret:
		return ""
	case k.Type() == "string" && value.Kind != unstable.Array:
		return fmt.Sprintf(": write \"%s\", in quotes", value.Data)
	case value.Kind == unstable.String:
		return ": leave the quotes out"
	}
	return ""
}

func tableNames() (names []string) {
	for _, k := range Keys() {
		if table, _, ok := strings.Cut(k.Name, "."); ok && !slices.Contains(names, table) {
			names = append(names, table)
		}
	}
	return names
}

func orList(name string, all []string) string {
	if n := nearest.To(name, all); n != "" {
		return fmt.Sprintf(": did you mean [%s]?", n)
	}
	return ": there are [" + strings.Join(all, "] and [") + "]"
}

package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/tutti-audio/tutti/internal/nearest"
)

// maxFile is the longest file that is read, in bytes.
const maxFile = 1 << 20

// Load reads a file on top of the defaults.
func Load(path string) (Config, error) {
	file, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("cannot read the configuration: %w: `tutti-relay run --print-config` prints one to begin with", err)
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil || len(b) > maxFile {
		return Config{}, fmt.Errorf("cannot read %s: %w", path, errors.Join(err, fmt.Errorf("it has more than %d bytes, or cannot be read", maxFile)))
	}
	return Parse(path, b)
}

// Parse reads the text of a file. The error tells every problem that was found,
// with name and line.
func Parse(name string, text []byte) (Config, error) {
	c := Default()
	d := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return Config{}, explain(name, err)
	}
	where := lines(text)
	found := c.together()
	for _, k := range keys(reflect.ValueOf(&c).Elem(), "") {
		if err := k.check(); err != nil {
			found[k.name] = err
		}
	}
	var problems []error
	for key, err := range found {
		problems = append(problems, fmt.Errorf("%s:%d: %s: %w", name, max(where[key], 1), key, err))
	}
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	if len(problems) > 0 {
		return Config{}, errors.Join(problems...)
	}
	return c, nil
}

// explain adds name, line and remedy to the decoder's errors.
func explain(name string, err error) error {
	var strict *toml.StrictMissingError
	var one *toml.DecodeError
	switch {
	case errors.As(err, &strict):
		var all []error
		for i := range strict.Errors {
			e := &strict.Errors[i]
			row, _ := e.Position()
			all = append(all, fmt.Errorf("%s:%d: unknown key %q%s", name, row, strings.Join(e.Key(), "."), suggest(e.Key())))
		}
		return errors.Join(all...)
	case errors.As(err, &one):
		row, _ := one.Position()
		if key := strings.Join(one.Key(), "."); key != "" {
			return fmt.Errorf("%s:%d: %s: %w", name, row, key, one)
		}
		return fmt.Errorf("%s:%d: %w", name, row, one)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// suggest names the key that was meant.
func suggest(unknown []string) string {
	var all []string
	c := Default()
	for _, k := range keys(reflect.ValueOf(&c).Elem(), "") {
		all = append(all, k.name)
	}
	if unknown[0] == "channel" && len(unknown) > 2 {
		all = nil
		for _, k := range keys(reflect.ValueOf(&Channel{}).Elem(), "channel."+unknown[1]+".") {
			all = append(all, k.name)
		}
	}
	whole := strings.Join(unknown, ".")
	near := nearest.To(whole, all)
	if near == "" { // in another table, perhaps
		last := unknown[len(unknown)-1]
		for _, name := range all {
			if short := name[strings.LastIndexByte(name, '.')+1:]; nearest.To(last, []string{short}) != "" {
				near = name
			}
		}
	}
	if near == "" {
		return ": `tutti-relay run --print-config` lists them all"
	}
	return fmt.Sprintf(": did you mean %q?", near)
}

// lines returns the line of each key and table.
func lines(text []byte) map[string]int {
	where := map[string]int{}
	var p unstable.Parser
	p.Reset(text)
	table := ""
	for p.NextExpression() {
		e := p.Expression()
		var parts []string
		line := 0
		for it := e.Key(); it.Next(); {
			parts = append(parts, string(it.Node().Data))
			if line == 0 {
				line = p.Shape(it.Node().Raw).Start.Line
			}
		}
		name := strings.Join(parts, ".")
		if e.Kind == unstable.KeyValue {
			where[table+name] = line
			continue
		}
		table = name + "."
		where[name] = line
	}
	return where
}

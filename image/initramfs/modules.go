package initramfs

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io/fs"
	"os/exec"
	"path"
	"strings"
)

// Module is a kernel module, decompressed.
type Module struct {
	Name string
	Code []byte
}

// Collect returns modules of a kernel, whose lib/modules/VERSION root is, with all
// that they need, each after what it needs. What is built into the kernel is left
// out; optional ones (with a "?" in front) may be missing.
func Collect(root fs.FS, names []string) ([]Module, error) {
	c := collector{root: root, files: map[string]string{}, seen: map[string]bool{}}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if base, _, ok := strings.Cut(path.Base(name), ".ko"); ok && err == nil && !d.IsDir() {
			c.files[plain(base)] = name
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	builtIn, err := fs.ReadFile(root, "modules.builtin")
	if err != nil {
		return nil, err
	}
	c.builtIn = plain(string(builtIn))
	for _, name := range names {
		name, optional := strings.CutPrefix(name, "?")
		if optional && c.files[plain(name)] == "" {
			continue
		}
		if err := c.add(name); err != nil {
			return nil, err
		}
	}
	return c.all, nil
}

type collector struct {
	root    fs.FS
	files   map[string]string // by plain name
	builtIn string
	seen    map[string]bool
	all     []Module
}

func (c *collector) add(name string) error {
	name = plain(name)
	if c.seen[name] {
		return nil
	}
	c.seen[name] = true
	if c.files[name] == "" {
		if strings.Contains(c.builtIn, "/"+name+".ko") {
			return nil
		}
		return fmt.Errorf("this kernel has no module %s", name)
	}
	m, needs, err := c.open(name)
	if err != nil {
		return fmt.Errorf("module %s: %w", c.files[name], err)
	}
	for _, other := range needs {
		if err := c.add(other); err != nil {
			return err
		}
	}
	c.all = append(c.all, m)
	return nil
}

// plain makes the spellings of a module's name alike.
func plain(name string) string { return strings.ReplaceAll(name, "-", "_") }

// open reads a module and what it says it needs.
func (c *collector) open(name string) (m Module, needs []string, err error) {
	code, err := fs.ReadFile(c.root, c.files[name])
	if err != nil {
		return m, nil, err
	}
	if strings.HasSuffix(c.files[name], ".xz") {
		cmd := exec.Command("xz", "-dc")
		cmd.Stdin = bytes.NewReader(code)
		if code, err = cmd.Output(); err != nil {
			return m, nil, fmt.Errorf("%w: install xz-utils", err)
		}
	}
	f, err := elf.NewFile(bytes.NewReader(code))
	if err != nil {
		return m, nil, err
	}
	info := f.Section(".modinfo")
	if info == nil {
		return m, nil, fmt.Errorf("no .modinfo: is it a kernel module?")
	}
	fields, err := info.Data()
	if err != nil {
		return m, nil, err
	}
	for _, field := range strings.Split(string(fields), "\x00") {
		if list, ok := strings.CutPrefix(field, "depends="); ok && list != "" {
			needs = strings.Split(list, ",")
		}
	}
	return Module{name, code}, needs, nil
}

package vm

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// module is a kernel module, decompressed.
type module struct {
	name string
	code []byte
}

// collector finds modules and what they need.
type collector struct {
	files   map[string]string // by name
	builtIn string            // the kernel's list of what it needs no file for
	seen    map[string]bool
	all     []module
}

// collect returns modules with all that they need, each after what it needs.
func (k *kernel) collect(names []string) ([]module, error) {
	builtIn, err := os.ReadFile(filepath.Join(k.modules, "modules.builtin"))
	if err != nil {
		return nil, err
	}
	c := &collector{files: map[string]string{}, builtIn: plain(string(builtIn)), seen: map[string]bool{}}
	err = filepath.WalkDir(k.modules, func(path string, d fs.DirEntry, err error) error {
		if name, _, ok := strings.Cut(filepath.Base(path), ".ko"); ok && err == nil && !d.IsDir() {
			c.files[plain(name)] = path
		}
		return err
	})
	for _, name := range names {
		if err == nil {
			err = c.add(plain(name))
		}
	}
	return c.all, err
}

func (c *collector) add(name string) error {
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
	m, needs, err := open(name, c.files[name])
	for _, other := range needs {
		if err == nil {
			err = c.add(plain(other))
		}
	}
	c.all = append(c.all, m)
	return err
}

// plain makes the spellings of a module's name alike.
func plain(name string) string { return strings.ReplaceAll(name, "-", "_") }

// open reads a module and what it says it needs.
func open(name, path string) (m module, needs []string, err error) {
	code, err := os.ReadFile(path)
	if strings.HasSuffix(path, ".xz") && err == nil {
		code, err = exec.Command("xz", "-dc", path).Output()
	}
	if err != nil {
		return m, nil, fmt.Errorf("module %s: %w: install xz-utils", path, err)
	}
	f, err := elf.NewFile(bytes.NewReader(code))
	if err != nil {
		return m, nil, err
	}
	info, err := f.Section(".modinfo").Data()
	if err != nil {
		return m, nil, err
	}
	for _, field := range strings.Split(string(info), "\x00") {
		if list, ok := strings.CutPrefix(field, "depends="); ok && list != "" {
			needs = strings.Split(list, ",")
		}
	}
	return module{name, code}, needs, nil
}

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

// collect returns modules with all that they need, each after what it needs.
func (k *kernel) collect(names []string) ([]module, error) {
	files := map[string]string{}
	err := filepath.WalkDir(k.modules, func(path string, d fs.DirEntry, err error) error {
		if name, _, ok := strings.Cut(filepath.Base(path), ".ko"); ok && err == nil && !d.IsDir() {
			files[plain(name)] = path
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	builtIn, err := os.ReadFile(filepath.Join(k.modules, "modules.builtin"))
	if err != nil {
		return nil, err
	}
	var all []module
	seen := map[string]bool{}
	var add func(name string) error
	add = func(name string) error {
		name = plain(name)
		if seen[name] {
			return nil
		}
		seen[name] = true
		if files[name] == "" {
			if strings.Contains(plain(string(builtIn)), "/"+name+".ko") {
				return nil
			}
			return fmt.Errorf("this kernel has no module %s", name)
		}
		m, needs, err := open(name, files[name])
		if err != nil {
			return err
		}
		for _, other := range needs {
			if err := add(other); err != nil {
				return err
			}
		}
		all = append(all, m)
		return nil
	}
	for _, name := range names {
		if err := add(name); err != nil {
			return nil, err
		}
	}
	return all, nil
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

package vm

import (
	"errors"
	"os"
	"strings"

	"github.com/tutti-audio/tutti/image/initramfs"
)

// pack writes the initramfs: the program, files, and modules with the order in
// which to load them.
func (m *Machine) pack(k *kernel, to string) (err error) {
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	a := initramfs.NewArchive(out)
	for _, dir := range []string{"dev", "proc", "sys", "tmp", "modules"} {
		a.Folder(dir)
	}
	a.Device("dev/console", 5, 1)
	root := os.DirFS(k.modules)
	now, err := initramfs.Collect(root, m.Modules)
	if err != nil {
		return err
	}
	all, err := initramfs.Collect(root, append(append([]string{}, m.Modules...), m.Later...))
	if err != nil {
		return err
	}
	a.Modules(all)
	a.List("modules/order", now)
	a.List("modules/later", all[len(now):])
	if err := add(a, "init", m.Init); err != nil {
		return err
	}
	for inside, outside := range m.Files {
		if err := add(a, strings.TrimPrefix(inside, "/"), outside); err != nil {
			return err
		}
	}
	return a.Close()
}

func add(a *initramfs.Archive, inside, outside string) error {
	b, err := os.ReadFile(outside)
	if err == nil {
		a.File(inside, b)
	}
	return err
}

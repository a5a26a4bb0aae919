// Package rootfs is a root file system in memory: read from a tar archive, edited,
// and written as one again, always in the same order and with one time for
// everything, so that the same contents give the same bytes. Nothing of it needs
// root or the machine it is built on.
//
// Paths are relative to the root and without a leading slash. A [Tree] belongs to
// one goroutine.
package rootfs

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"sort"
	"strings"
	"time"
)

// Tree is a file system.
type Tree struct {
	entries map[string]*entry
}

type entry struct {
	header tar.Header
	data   []byte
}

// New returns an empty tree.
func New() *Tree { return &Tree{entries: map[string]*entry{}} }

// clean is a path as the map has it.
func clean(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// Merge adds what a tar archive holds; later files replace earlier ones, and links
// of the tree that lead to folders are followed.
func (t *Tree) Merge(r io.Reader) error {
	in := tar.NewReader(r)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		data, err := io.ReadAll(in)
		if err != nil {
			return err
		}
		name := t.through(clean(h.Name))
		if name == "" || h.Typeflag == tar.TypeDir && t.entries[name] != nil {
			continue
		}
		e := &entry{header: *h, data: data}
		if h.Typeflag == tar.TypeLink {
			target := t.entries[t.through(clean(h.Linkname))]
			if target == nil {
				return fmt.Errorf("%s is a hard link to %s, which is not there", name, h.Linkname)
			}
			e.header, e.data = target.header, target.data
		}
		t.entries[name] = e
	}
}

// through resolves links in all but the last part of a path.
func (t *Tree) through(name string) string {
	dir, base := path.Split(name)
	dir = strings.TrimSuffix(dir, "/")
	if dir == "" {
		return name
	}
	dir = t.through(dir)
	for range 10 {
		e := t.entries[dir]
		if e == nil || e.header.Typeflag != tar.TypeSymlink {
			break
		}
		to := e.header.Linkname
		if !path.IsAbs(to) {
			to = path.Join("/", path.Dir(dir), to)
		}
		dir = t.through(clean(to))
	}
	return path.Join(dir, base)
}

// Put writes a file.
func (t *Tree) Put(name string, mode int64, data []byte) {
	name = t.through(clean(name))
	t.folderOf(name)
	t.entries[name] = &entry{header: tar.Header{Typeflag: tar.TypeReg, Mode: mode}, data: data}
}

// Link makes a symbolic link.
func (t *Tree) Link(name, to string) {
	name = t.through(clean(name))
	t.folderOf(name)
	t.entries[name] = &entry{header: tar.Header{Typeflag: tar.TypeSymlink, Linkname: to, Mode: 0o777}}
}

// Folder makes a folder, and those it lies in.
func (t *Tree) Folder(name string, mode int64) {
	name = t.through(clean(name))
	if t.entries[name] != nil {
		return
	}
	t.folderOf(name)
	t.entries[name] = &entry{header: tar.Header{Typeflag: tar.TypeDir, Mode: mode}}
}

func (t *Tree) folderOf(name string) {
	if dir := path.Dir(name); dir != "." {
		t.Folder(dir, 0o755)
	}
}

// Read returns a file's contents.
func (t *Tree) Read(name string) ([]byte, error) {
	e := t.entries[t.through(clean(name))]
	if e == nil || e.header.Typeflag != tar.TypeReg {
		return nil, fmt.Errorf("the root file system has no file %s", name)
	}
	return e.data, nil
}

// List returns the paths that have the prefix, sorted.
func (t *Tree) List(prefix string) []string {
	var all []string
	for name := range t.entries {
		if strings.HasPrefix(name, prefix) {
			all = append(all, name)
		}
	}
	sort.Strings(all)
	return all
}

// Remove takes away what gone says, and folders with all they hold.
func (t *Tree) Remove(gone func(name string) bool) {
	for _, name := range t.List("") {
		if gone(name) || t.goneParent(name) {
			delete(t.entries, name)
		}
	}
}

// goneParent reports whether the folder of an entry has been removed; parents sort
// before what they hold.
func (t *Tree) goneParent(name string) bool {
	dir := path.Dir(name)
	return dir != "." && t.entries[dir] == nil
}

// Own gives an entry to a user and group.
func (t *Tree) Own(name string, uid, gid int) error {
	e := t.entries[t.through(clean(name))]
	if e == nil {
		return fmt.Errorf("the root file system has no %s to give to a user", name)
	}
	e.header.Uid, e.header.Gid = uid, gid
	return nil
}

// WriteWithout writes the tree as a tar archive in which everything was made at one
// time, without what lies below the prefix.
func (t *Tree) WriteWithout(w io.Writer, at time.Time, prefix string) error {
	out := tar.NewWriter(w)
	for _, name := range t.List("") {
		if strings.HasPrefix(name, prefix) {
			continue
		}
		e := t.entries[name]
		h := tar.Header{
			Typeflag: e.header.Typeflag, Name: name, Linkname: e.header.Linkname, Size: int64(len(e.data)), Mode: e.header.Mode,
			Uid: e.header.Uid, Gid: e.header.Gid, ModTime: at, Format: tar.FormatGNU,
		}
		if h.Typeflag == tar.TypeDir {
			h.Name += "/"
		}
		if err := out.WriteHeader(&h); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if _, err := out.Write(e.data); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return out.Close()
}

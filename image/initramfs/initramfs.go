// Package initramfs writes what a Linux kernel unpacks before it starts anything:
// a cpio archive in the "newc" form (kernel documentation:
// driver-api/early-userspace/buffer-format), and finds the kernel modules that are
// to go into it.
//
// The same contents give the same bytes: no times, owners or inode numbers of the
// machine that builds get in.
package initramfs

import (
	"bufio"
	"fmt"
	"io"
	"path"
	"strings"
)

// The kinds of entries, as in stat(2).
const (
	directory = 0o040755
	program   = 0o100755
	link      = 0o120777
	character = 0o020600
)

// Archive is an archive being written. Errors keep until Close.
type Archive struct {
	out   *bufio.Writer
	at    int // bytes written
	inode int
	dirs  map[string]bool
}

// NewArchive begins an archive.
func NewArchive(w io.Writer) *Archive {
	return &Archive{out: bufio.NewWriterSize(w, 1<<20), dirs: map[string]bool{".": true}}
}

// File adds a file that can be read and run. Missing folders come first.
func (a *Archive) File(name string, data []byte) {
	a.Folder(path.Dir(name))
	a.add(name, program, data, 0, 0)
}

// Link adds a symbolic link.
func (a *Archive) Link(name, to string) {
	a.Folder(path.Dir(name))
	a.add(name, link, []byte(to), 0, 0)
}

// Device adds a character device.
func (a *Archive) Device(name string, major, minor int) {
	a.Folder(path.Dir(name))
	a.add(name, character, nil, major, minor)
}

// Folder adds a folder and those it lies in, once.
func (a *Archive) Folder(name string) {
	if a.dirs[name] {
		return
	}
	a.dirs[name] = true
	a.Folder(path.Dir(name))
	a.add(name, directory, nil, 0, 0)
}

// Modules adds kernel modules as modules/NAME.ko.
func (a *Archive) Modules(all []Module) {
	for _, m := range all {
		a.File("modules/"+m.Name+".ko", m.Code)
	}
}

// List adds the names of modules in the order to load them.
func (a *Archive) List(name string, all []Module) {
	var b strings.Builder
	for _, m := range all {
		b.WriteString(m.Name + "\n")
	}
	a.File(name, []byte(b.String()))
}

// Close ends the archive.
func (a *Archive) Close() error {
	a.add("TRAILER!!!", 0, nil, 0, 0)
	return a.out.Flush()
}

func (a *Archive) add(name string, mode int, data []byte, major, minor int) {
	a.inode++
	fmt.Fprintf(a, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		a.inode, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(name)+1, 0)
	_, _ = io.WriteString(a, name+"\x00")
	a.align()
	_, _ = a.Write(data)
	a.align()
}

// Write implements io.Writer for the archive's own use.
func (a *Archive) Write(b []byte) (int, error) {
	n, err := a.out.Write(b)
	a.at += n
	return n, err
}

func (a *Archive) align() { _, _ = a.Write(make([]byte, -a.at&3)) }

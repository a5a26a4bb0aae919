package vm

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// pack writes the initramfs: the program, files, and modules with the order in
// which to load them.
func (m *Machine) pack(k *kernel, to string) (err error) {
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := out.Close(); err == nil {
			err = closeErr
		}
	}()
	a := &archive{out: bufio.NewWriterSize(out, 1<<20)}
	for _, dir := range []string{"dev", "proc", "sys", "tmp", "modules"} {
		a.add(dir, directoryMode, nil, 0, 0)
	}
	a.add("dev/console", consoleMode, nil, 5, 1)
	now, err := k.collect(m.Modules)
	if err != nil {
		return err
	}
	all, err := k.collect(append(append([]string{}, m.Modules...), m.Later...))
	if err != nil {
		return err
	}
	for _, one := range all {
		a.add("modules/"+one.name+".ko", fileMode, one.code, 0, 0)
	}
	a.add("modules/order", fileMode, names(now), 0, 0)
	a.add("modules/later", fileMode, names(all[len(now):]), 0, 0)
	if err := a.copy("init", m.Init); err != nil {
		return err
	}
	for inside, outside := range m.Files {
		if err := a.copy(strings.TrimPrefix(inside, "/"), outside); err != nil {
			return err
		}
	}
	return a.close()
}

func names(all []module) []byte {
	var b strings.Builder
	for _, m := range all {
		b.WriteString(m.name + "\n")
	}
	return []byte(b.String())
}

// The kinds of entries, as in stat(2).
const (
	directoryMode = 0o040755
	fileMode      = 0o100755
	consoleMode   = 0o020600
)

// archive writes the "newc" form of cpio, which the kernel unpacks.
type archive struct {
	out   *bufio.Writer
	at    int // bytes written
	inode int
}

func (a *archive) add(name string, mode int, data []byte, major, minor int) {
	a.inode++
	fmt.Fprintf(a, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		a.inode, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(name)+1, 0)
	_, _ = io.WriteString(a, name+"\x00")
	a.align()
	_, _ = a.Write(data)
	a.align()
}

// Write implements io.Writer; errors keep until close.
func (a *archive) Write(b []byte) (int, error) {
	n, err := a.out.Write(b)
	a.at += n
	return n, err
}

func (a *archive) align() { _, _ = a.Write(make([]byte, -a.at&3)) }

func (a *archive) copy(inside, outside string) error {
	b, err := os.ReadFile(outside)
	if err != nil {
		return err
	}
	if dir := path.Dir(inside); dir != "." {
		a.add(dir, directoryMode, nil, 0, 0)
	}
	a.add(inside, fileMode, b, 0, 0)
	return nil
}

func (a *archive) close() error {
	a.add("TRAILER!!!", 0, nil, 0, 0)
	return a.out.Flush()
}

package initramfs

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// What is packed is what cpio finds, in a whole archive.
func TestArchive(t *testing.T) {
	var out bytes.Buffer
	a := NewArchive(&out)
	a.Folder("proc")
	a.Device("dev/console", 5, 1)
	a.File("modules/a.ko", bytes.Repeat([]byte("module"), 1001))
	a.List("modules/order", []Module{{Name: "a"}})
	a.Link("bin/sh", "busybox")
	a.File("init", []byte("#!"))
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(out.Bytes()[out.Len()-20:], []byte("TRAILER!!!")) || out.Len()%4 != 0 {
		t.Errorf("the archive of %d bytes has no end: %q", out.Len(), out.Bytes()[out.Len()-20:])
	}
	cmd := exec.Command("cpio", "-t", "--quiet")
	cmd.Stdin = bytes.NewReader(out.Bytes())
	list, err := cmd.CombinedOutput()
	if err != nil {
		t.Skip("no cpio here to check with: ", err)
	}
	if got := strings.Join(strings.Fields(string(list)), " "); got != "proc dev dev/console modules modules/a.ko modules/order bin bin/sh init" {
		t.Errorf("cpio finds %q", got)
	}
}

// What is packed is what cpio unpacks, whatever the lengths of names and files.
func TestUnpack(t *testing.T) {
	if _, err := exec.LookPath("cpio"); err != nil {
		t.Skip("no cpio to compare with: apt-get install cpio")
	}
	var b bytes.Buffer
	a := NewArchive(&b)
	for n := range 5 {
		a.File(fmt.Sprintf("d/%s", strings.Repeat("x", n+1)), []byte(strings.Repeat("y", n)))
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command("cpio", "-i", "--quiet")
	cmd.Dir, cmd.Stdin = dir, &b
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for n := range 5 {
		got, err := os.ReadFile(filepath.Join(dir, "d", strings.Repeat("x", n+1)))
		if err != nil || string(got) != strings.Repeat("y", n) {
			t.Errorf("file %d holds %q, %v", n, got, err)
		}
	}
}

// module makes a file with nothing but a module's own account of what it needs.
func module(needs string) []byte {
	names := "\x00.modinfo\x00.shstrtab\x00"
	info := "license=GPL\x00depends=" + needs + "\x00name=m\x00"
	header := elf.Header64{
		Type: uint16(elf.ET_REL), Machine: uint16(elf.EM_AARCH64), Version: 1, Ehsize: 64, Shentsize: 64, Shnum: 3, Shstrndx: 2,
		Shoff: uint64(64 + len(info) + len(names)),
	}
	copy(header.Ident[:], "\x7fELF\x02\x01\x01")
	var b bytes.Buffer
	for _, part := range []any{
		header, []byte(info), []byte(names), elf.Section64{},
		elf.Section64{Name: 1, Type: uint32(elf.SHT_PROGBITS), Off: 64, Size: uint64(len(info))},
		elf.Section64{Name: 10, Type: uint32(elf.SHT_STRTAB), Off: uint64(64 + len(info)), Size: uint64(len(names))},
	} {
		_ = binary.Write(&b, binary.LittleEndian, part)
	}
	return b.Bytes()
}

// Modules come after what they need, each once, and without what is built in.
func TestCollect(t *testing.T) {
	root := fstest.MapFS{
		"modules.builtin":                    {Data: []byte("kernel/lib/crc.ko\n")},
		"kernel/sound/snd.ko":                {Data: module("")},
		"kernel/sound/snd-timer.ko":          {Data: module("snd")},
		"kernel/sound/drivers/snd-aloop.ko":  {Data: module("snd-timer,snd,crc")},
		"kernel/sound/drivers/snd-broken.ko": {Data: []byte("no module")},
	}
	all, err := Collect(root, []string{"snd_aloop", "snd", "?nothing"})
	var names []string
	for _, m := range all {
		names = append(names, m.Name)
	}
	if got := strings.Join(names, " "); err != nil || got != "snd snd_timer snd_aloop" {
		t.Errorf("%q, %v", got, err)
	}
	for name, want := range map[string]string{"nothing": "has no module nothing", "snd-broken": "snd-broken.ko"} {
		if _, err := Collect(root, []string{name}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", name, err, want)
		}
	}
}

package initramfs

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
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

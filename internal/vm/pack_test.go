package vm

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What is packed is what cpio unpacks.
func TestArchive(t *testing.T) {
	if _, err := exec.LookPath("cpio"); err != nil {
		t.Skip("no cpio to compare with: apt-get install cpio")
	}
	var b bytes.Buffer
	a := &archive{out: bufio.NewWriter(&b)}
	a.add("d", directoryMode, nil, 0, 0)
	for n := range 5 {
		a.add(fmt.Sprintf("d/%s", strings.Repeat("x", n+1)), fileMode, []byte(strings.Repeat("y", n)), 0, 0)
	}
	if err := a.close(); err != nil {
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
		if err != nil || len(got) != n {
			t.Errorf("file %d has %d bytes, %v", n, len(got), err)
		}
	}
}

// Verdicts and the end are told from the kernel's own lines.
func TestListen(t *testing.T) {
	m := Machine{Log: func(string) {}}
	all, done := m.listen(strings.NewReader("[0.1] PASS no\r\nPASS a: b: c\r\nFAIL d: e\r\nDONE\r\nPASS late: x\n"), "")
	if !done || len(all) != 2 || all[0] != (Verdict{true, "a", "b: c"}) || all[1] != (Verdict{false, "d", "e"}) {
		t.Errorf("%v %+v", done, all)
	}
	if _, done = m.listen(strings.NewReader("PASS a: b\n"), ""); done {
		t.Error("a machine that breaks off is done")
	}
}

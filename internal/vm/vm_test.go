package vm

import (
	"strings"
	"testing"
)

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

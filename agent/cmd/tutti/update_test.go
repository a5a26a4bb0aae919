package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// The image's program is called as it is, and its exit code is ours.
func TestUpdate(t *testing.T) {
	program := filepath.Join(t.TempDir(), "tutti-os")
	script := "#!/bin/sh\necho \"$@\"\necho complaint >&2\n[ \"$2\" = good ] || exit 2\n"
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		out  string
		code int
	}{
		{[]string{"good"}, "update good\n", exitOK},
		{[]string{"good", "--stay"}, "update good --stay\n", exitOK},
		{[]string{"bad"}, "update bad\n", exitMisused},
		{[]string{"-"}, "update -\n", exitMisused},
	} {
		var out, errs bytes.Buffer
		cmd := updateCommand(surroundings{out: &out, err: &errs, getenv: os.Getenv}, program)
		cmd.SetArgs(c.args)
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		code := exitOK
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			found, _ := errors.AsType[coded](err)
			code = found.code
		}
		if out.String() != c.out || errs.String() != "complaint\n" || code != c.code {
			t.Errorf("%v: %q, %q, %d", c.args, out.String(), errs.String(), code)
		}
	}
}

func TestUpdateElsewhere(t *testing.T) {
	if _, err := os.Stat(imageProgram); err == nil {
		t.Skip("this is a Tutti image")
	}
	code, out, errs := command(t, nil, "update", "x.tutti")
	if code != exitFailed || out != "" || !bytes.Contains([]byte(errs), []byte("apt install")) || !bytes.Contains([]byte(errs), []byte("docs/IMAGE.md")) {
		t.Errorf("%d, %q, %q", code, out, errs)
	}
}

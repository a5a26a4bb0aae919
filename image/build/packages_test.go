package main

import (
	"os"
	"path/filepath"
	"testing"
)

// An archive that lacks a package is fetched anew.
func TestHas(t *testing.T) {
	archive := filepath.Join(t.TempDir(), "debian-x.tar")
	if has(archive, nil) {
		t.Error("there is no archive")
	}
	for name, text := range map[string]string{archive: "", listOf(archive): "/a/dash_0.5.12-12_arm64.deb\n/a/e2fsprogs_1.47.2-3%2bb7_arm64.deb\n"} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !has(archive, []string{"dash", "e2fsprogs"}) || has(archive, []string{"dash", "dosfstools"}) {
		t.Error("dash and e2fsprogs are in it, dosfstools is not")
	}
}

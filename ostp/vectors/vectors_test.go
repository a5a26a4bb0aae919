// Package vectors_test holds this implementation to the vectors beside it.
package vectors_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// vector is one record of a file: the values of each key, in their order.
type vector struct {
	at   string // file and line
	keys map[string][]string
	used map[string]bool
}

// readVectors reads the records of all files; a test takes those with its key.
func readVectors(t *testing.T, with string) (all []*vector) {
	t.Helper()
	files, err := filepath.Glob("*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range parseVectors(t, file, string(b)) {
			if v.has(with) {
				all = append(all, v)
			}
		}
	}
	return all
}

func parseVectors(t *testing.T, file, text string) (all []*vector) {
	t.Helper()
	var v *vector
	for i, line := range strings.Split(text, "\n") {
		if line == "" {
			v = nil
			continue
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		key, value, ok := strings.Cut(line, ": ")
		if !ok {
			if key, ok = strings.CutSuffix(line, ":"); !ok { // editors take a space off the end
				t.Fatalf("%s:%d: %q is no `key: value`", file, i+1, line)
			}
		}
		if v == nil {
			v = &vector{at: fmt.Sprintf("%s:%d", file, i+1), keys: map[string][]string{}, used: map[string]bool{}}
			all = append(all, v)
		}
		v.keys[key] = append(v.keys[key], value)
	}
	return all
}

func (v *vector) has(key string) bool { return len(v.keys[key]) > 0 }

// get returns the value of a key that stands once or not at all.
func (v *vector) get(key string) string {
	v.used[key] = true
	return strings.Join(v.keys[key], " (again) ")
}

func (v *vector) all(key string) []string {
	v.used[key] = true
	return v.keys[key]
}

func (v *vector) bytes(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatalf("%s: %v", v.at, err)
	}
	return b
}

// compare holds every field to the vector, and every key of the vector to be one
// that was looked at.
func (v *vector) compare(t *testing.T, got map[string]string) {
	t.Helper()
	for key, value := range got {
		if want := v.get(key); value != want {
			t.Errorf("%s: %s is %q, want %q", v.at, key, value, want)
		}
	}
	for key := range v.keys {
		if !v.used[key] {
			t.Errorf("%s: %q is not known to this test", v.at, key)
		}
	}
}

// counted fails when a test ran fewer vectors than there are known to be.
func counted(t *testing.T, all []*vector, want int) {
	t.Helper()
	if len(all) != want {
		t.Errorf("%d vectors, want %d: a file is missing, or this number is old", len(all), want)
	}
}

// Each file is read by one of the tests.
func TestEveryVectorIsRun(t *testing.T) {
	n := 0
	for _, key := range []string{"packet", "line", "data", "report"} {
		n += len(readVectors(t, key))
	}
	files, _ := filepath.Glob("*.txt")
	for _, file := range files {
		b, _ := os.ReadFile(file)
		n -= len(parseVectors(t, file, string(b)))
	}
	if n != 0 {
		t.Errorf("%d records are run by no test, or by two", -n)
	}
}

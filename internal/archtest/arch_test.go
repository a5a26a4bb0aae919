// Package archtest holds docs/ARCHITECTURE.md and the imports to each other.
package archtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/tutti-audio/tutti/"

type layer struct {
	level int
	also  map[string]bool
}

// table reads the layer table of docs/ARCHITECTURE.md.
func table(t *testing.T) map[string]layer {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	layers := map[string]layer{}
	for _, line := range strings.Split(string(b), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 6 {
			continue
		}
		level, err := strconv.Atoi(strings.TrimSpace(cells[1]))
		if err != nil {
			continue
		}
		also := map[string]bool{}
		for _, name := range strings.FieldsFunc(cells[4], func(r rune) bool { return r == ',' || r == ' ' }) {
			also[name] = true
		}
		layers[strings.TrimSpace(cells[2])] = layer{level: level, also: also}
	}
	if len(layers) < 10 {
		t.Fatalf("found %d packages in the layer table, want more than 10", len(layers))
	}
	return layers
}

// imports lists each package of the module with what it imports, tests left out.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "./...")
	cmd.Dir = filepath.Join("..", "..")
	b, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		fields := strings.Fields(line)
		found[strings.TrimPrefix(fields[0], module)] = fields[1:]
	}
	return found
}

func TestLayers(t *testing.T) {
	layers := table(t)
	for name, imported := range imports(t) {
		if name == "internal/archtest" {
			continue
		}
		here, listed := layers[name]
		if !listed {
			t.Errorf("%s is not in the layer table of docs/ARCHITECTURE.md", name)
			continue
		}
		for _, path := range imported {
			other, ours := strings.CutPrefix(path, module)
			if !ours {
				continue
			}
			there := layers[other]
			if there.level >= here.level && !here.also[other] {
				t.Errorf("%s (layer %d) imports %s (layer %d): arrows point down only", name, here.level, other, there.level)
			}
		}
	}
}

// TestPureLayers: layers 0 to 3 have no clock, no goroutine and no device.
func TestPureLayers(t *testing.T) {
	layers := table(t)
	forbidden := map[string]bool{"os": true, "net": true, "log": true, "log/slog": true, "syscall": true, "net/http": true, "golang.org/x/sys/unix": true}
	for name, imported := range imports(t) {
		if l, listed := layers[name]; !listed || l.level > 3 {
			continue
		}
		for _, path := range imported {
			if forbidden[path] {
				t.Errorf("%s is pure but imports %s", name, path)
			}
		}
		files, _ := filepath.Glob(filepath.Join("..", "..", name, "*.go"))
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil || strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, word := range []string{"time.Now(", "time.Since(", "time.Sleep(", "\tgo ", "func init("} {
				if strings.Contains(string(b), word) {
					t.Errorf("%s is pure but contains %q", file, word)
				}
			}
		}
	}
}

// TestSpeakerLinks: the speaker's binary has no cgo and nothing of the relay's.
func TestSpeakerLinks(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "./agent/cmd/tutti")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	b, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(string(b)) {
		for _, banned := range []string{"runtime/cgo", module + "relay", module + "internal/lab", module + "internal/netlab", "database/sql", "gonum.org", "testing"} {
			if path == "database/sql/driver" { // interfaces only, which pion's google/uuid fits
				continue
			}
			if path == banned || strings.HasPrefix(path, banned+"/") {
				t.Errorf("the speaker links %s", path)
			}
		}
	}
}

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tutti-audio/tutti/internal/netlab"
)

// The environment carries the binary from the outer test process, which builds
// it, to the one inside the laboratory. Set beforehand, it names one that is
// tested instead.
const (
	envBinary  = "TUTTI_TEST_BINARY"
	envScratch = "TUTTI_TEST_SCRATCH"
)

func TestMain(m *testing.M) { os.Exit(inside(m)) }

// inside runs the tests in a laboratory with a binary built once.
func inside(m *testing.M) int {
	if os.Getenv(envBinary) == "" {
		dir, err := os.MkdirTemp("", "tutti-lab")
		if err == nil {
			err = errors.Join(build(filepath.Join(dir, "tutti"), "agent/cmd/tutti"), build(filepath.Join(dir, "tutti-relay"), "relay/cmd/tutti-relay"))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		os.Setenv(envScratch, dir)
		os.Setenv(envBinary, filepath.Join(dir, "tutti"))
	}
	code := netlab.Main(m)
	if dir := os.Getenv(envScratch); dir != "" {
		_ = os.RemoveAll(dir)
	}
	return code
}

func build(path, program string) error {
	cmd := exec.Command("go", "build", "-o", path, "github.com/tutti-audio/tutti/"+program)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build %s: %w\n%s", program, err, out)
	}
	return nil
}

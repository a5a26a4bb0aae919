package config

import (
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestStateComesBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "state")
	if s, err := LoadState(dir); err != nil || s != (State{}) {
		t.Fatalf("nothing saved yet: %+v, %v", s, err)
	}
	volume := 0
	if err := SaveState(dir, State{ID: "x", Volume: &volume, Muted: true, CardPPM: -3.5}); err != nil {
		t.Fatal(err)
	}
	s, err := LoadState(dir)
	if err != nil || s.ID != "x" || s.Volume == nil || *s.Volume != 0 || !s.Muted || s.CardPPM != -3.5 {
		t.Errorf("got %+v, %v", s, err)
	}
}

// TestPowerCut: the old state is replaced by name, never written over, and what an
// interrupted save leaves behind is ignored.
func TestPowerCut(t *testing.T) {
	dir := t.TempDir()
	if err := SaveState(dir, State{ID: "old"}); err != nil {
		t.Fatal(err)
	}
	old, err := os.Open(filepath.Join(dir, stateFile))
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if err := SaveState(dir, State{ID: "new"}); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1000)
	n, _ := old.Read(b)
	if !strings.Contains(string(b[:n]), `"old"`) {
		t.Errorf("the old file was written over: %q", b[:n])
	}
	if err := os.WriteFile(filepath.Join(dir, "."+stateFile+"123"), []byte(`{"id`), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := LoadState(dir); err != nil || s.ID != "new" {
		t.Errorf("got %+v, %v", s, err)
	}
}

func TestDamagedStateIsSetAside(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, stateFile)
	if err := os.WriteFile(path, []byte(`{"id":"x`), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := LoadState(dir)
	if err == nil || !strings.Contains(err.Error(), path+".broken") || s != (State{}) {
		t.Fatalf("got %+v, %v", s, err)
	}
	if _, err := os.Stat(path + ".broken"); err != nil {
		t.Error(err)
	}
	if _, err := LoadState(dir); err != nil {
		t.Errorf("the second time: %v", err)
	}
}

// TestNoRoom: where no byte can be written any more, as on a full disk, the error
// says so and the old state stays. A process of its own gives up the right to
// write.
func TestNoRoom(t *testing.T) {
	if dir := os.Getenv("TUTTI_TEST_NO_ROOM"); dir != "" {
		signal.Ignore(unix.SIGXFSZ)
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{}); err != nil {
			t.Fatal(err)
		}
		if err := SaveState(dir, State{ID: "new"}); err == nil || !strings.Contains(err.Error(), "cannot remember") {
			os.Exit(3)
		}
		os.Exit(0)
	}
	dir := t.TempDir()
	if err := SaveState(dir, State{ID: "old"}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestNoRoom$")
	cmd.Env = append(os.Environ(), "TUTTI_TEST_NO_ROOM="+dir)
	if err := cmd.Run(); err != nil {
		t.Errorf("saving without room: %v", err)
	}
	if s, err := LoadState(dir); err != nil || s.ID != "old" {
		t.Errorf("got %+v, %v", s, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestOwnStateDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	first, release, err := OwnStateDir(dir)
	if err != nil || first != dir {
		t.Fatalf("got %q, %v", first, err)
	}
	second, releaseSecond, err := OwnStateDir(dir)
	if err != nil || second != filepath.Join(dir, "2") {
		t.Fatalf("got %q, %v", second, err)
	}
	release()
	third, releaseThird, err := OwnStateDir(dir)
	if err != nil || third != dir {
		t.Errorf("after release: got %q, %v", third, err)
	}
	releaseSecond()
	releaseThird()
	if own, release, err := OwnStateDir("/dev/full/x"); err != nil || own != "/dev/full/x" {
		t.Errorf("where nothing can be written: %q, %v", own, err)
	} else {
		release()
	}
}

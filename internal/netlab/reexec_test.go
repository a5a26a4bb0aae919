package netlab

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// play is a small program that enters a laboratory of its own.
func play(role string) int {
	if err := Reexec(); err != nil {
		fmt.Println(err)
		return 99
	}
	switch role {
	case "code":
		return 42
	case "signal":
		// Told by its own output that a signal reaches it.
		fmt.Println("pid", os.Getpid())
		time.Sleep(time.Minute)
	}
	return 0
}

// outer runs this test binary as play's program, outside of any laboratory mark.
func outer(t *testing.T, role string) (*exec.Cmd, *Transcript) {
	t.Helper()
	if err := Available(); err != nil {
		t.Skip(err)
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, envOutside+"=") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Env = append(cmd.Env, "NETLAB_TEST_ROLE="+role, "HOME=/nonexistent")
	out := &Transcript{}
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, out
}

func TestExitCodePasses(t *testing.T) {
	cmd, out := outer(t, "code")
	_ = cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != 42 {
		t.Errorf("exit code %d, want 42: %s", got, out)
	}
}

// startInner starts the program and returns the inner process's number.
func startInner(t *testing.T) (*exec.Cmd, int) {
	t.Helper()
	cmd, out := outer(t, "signal")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if text, ok := strings.CutPrefix(out.String(), "pid "); ok && strings.HasSuffix(text, "\n") {
			pid, err := strconv.Atoi(strings.TrimSpace(text))
			if err != nil {
				t.Fatal(err)
			}
			return cmd, pid
		}
	}
	_ = cmd.Process.Kill()
	t.Fatalf("the inner process says nothing: %s", out)
	return nil, 0
}

// gone waits until a process does not run any more.
func gone(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
	}
	t.Errorf("the inner process %d still runs", pid)
}

func TestSignalPasses(t *testing.T) {
	cmd, inner := startInner(t)
	_ = cmd.Process.Signal(unix.SIGTERM)
	_ = cmd.Wait()
	if got, want := cmd.ProcessState.ExitCode(), 128+int(unix.SIGTERM); got != want {
		t.Errorf("exit code %d, want %d", got, want)
	}
	gone(t, inner)
}

func TestDiesWithItsParent(t *testing.T) {
	cmd, inner := startInner(t)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	gone(t, inner)
}

func TestRefusalIsExplained(t *testing.T) {
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		t.Skip("setpriv (util-linux) is not installed: it takes the right to make namespaces away")
	}
	inner, out := outer(t, "code")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), setpriv, "--bounding-set=-all", "/bin/sh", "-c",
		"unshare -U true 2>/dev/null && exit 77; exec "+self)
	cmd.Env, cmd.Stdout, cmd.Stderr = inner.Env, out, out
	// A user namespace whose limit is 0 refuses every further one.
	limit := "/proc/sys/user/max_user_namespaces"
	old, err := os.ReadFile(limit)
	if err == nil {
		err = os.WriteFile(limit, []byte("0"), 0)
	}
	if err != nil {
		t.Skip("cannot lower the limit of user namespaces: ", err)
	}
	defer func() { _ = os.WriteFile(limit, old, 0) }()
	_ = cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != 99 {
		t.Errorf("exit code %d, want 99", got)
	}
	if s := out.String(); !strings.Contains(s, "no network laboratory") || strings.Count(s, "\n") != 1 {
		t.Errorf("not a reason in one sentence: %q", s)
	}
}

func TestStaleMarkIsNoLaboratory(t *testing.T) {
	t.Setenv(envOutside, currentNet())
	if err := Available(); err == nil {
		t.Error("a mark that names the present namespace was taken for a laboratory")
	}
}

// Package pulsetest runs a real PulseAudio server of a test's own, with null sinks, in
// a folder of its own. Sinks are module-null-sink's arguments, such as
// "sink_name=room rate=44100". A Server belongs to one goroutine.
package pulsetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

const patience = 30 * time.Second

// Server is a server, running or not.
type Server struct {
	dir   string
	sinks []string
	cmd   *exec.Cmd
}

// New prepares a server and points PulseAudio's clients of this process, and of its
// children, to it. The test is skipped where there is no PulseAudio.
func New(t testing.TB, sinks ...string) *Server {
	t.Helper()
	for _, tool := range []string{"pulseaudio", "pactl", "pacat"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	dir, err := os.MkdirTemp("", "tutti-pulse") // short: a socket's path is limited
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &Server{dir: dir, sinks: sinks}
	t.Cleanup(s.Stop)
	t.Setenv("PULSE_SERVER", "unix:"+s.socket())
	t.Setenv("PULSE_RUNTIME_PATH", filepath.Join(dir, "run"))
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("HOME", dir)
	return s
}

func (s *Server) socket() string { return filepath.Join(s.dir, "native") }

// Start starts the server and waits until it answers.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	args := []string{"-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--log-level=error"}
	for _, sink := range s.sinks {
		args = append(args, "-L", "module-null-sink "+sink)
	}
	s.cmd = exec.Command("pulseaudio", append(args, "-L", "module-native-protocol-unix auth-anonymous=1 socket="+s.socket())...)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if exec.Command("pactl", "info").Run() == nil {
			return
		}
	}
	t.Fatal("the PulseAudio server does not answer")
}

// Stop kills the server, if it runs.
func (s *Server) Stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

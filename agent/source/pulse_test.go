package source

import (
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pulseServer runs a PulseAudio server of its own with a null sink.
type pulseServer struct {
	dir string
	cmd *exec.Cmd
}

func newPulseServer(t *testing.T) *pulseServer {
	t.Helper()
	for _, tool := range []string{"pulseaudio", "pacat", "pactl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	dir, err := os.MkdirTemp("", "tutti-pulse") // short: a socket's path is limited
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	t.Setenv("PULSE_SERVER", "unix:"+filepath.Join(dir, "native"))
	p := &pulseServer{dir: dir}
	p.start(t)
	t.Cleanup(p.stop)
	return p
}

func (p *pulseServer) env() []string {
	return append(os.Environ(), "HOME="+p.dir, "XDG_RUNTIME_DIR="+p.dir, "PULSE_RUNTIME_PATH="+filepath.Join(p.dir, "run"))
}

// start begins the server and waits until it answers.
func (p *pulseServer) start(t *testing.T) {
	t.Helper()
	p.cmd = exec.Command("pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--log-level=error",
		"-L", "module-null-sink sink_name=room rate=44100 channels=2",
		"-L", "module-native-protocol-unix auth-anonymous=1 socket="+filepath.Join(p.dir, "native"))
	p.cmd.Env = p.env()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 500 {
		cmd := exec.Command("pactl", "info")
		cmd.Env = p.env()
		if cmd.Run() == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("the PulseAudio server does not answer")
}

func (p *pulseServer) stop() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		p.cmd = nil
	}
}

// play plays a tone into the sink until the returned function is called.
func (p *pulseServer) play(t *testing.T, hz float64) (stop func()) {
	t.Helper()
	raw := raw16(sine(0, 60*Rate, 1, hz, Rate, 0.5))
	cmd := exec.Command("pacat", "--playback", "--raw", "--format=s16le", "--rate=48000", "--channels=1", "--latency-msec=50")
	cmd.Env = p.env()
	cmd.Stdin = strings.NewReader(string(raw))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// listen reads at about our pace until a tenth of a second is a clean tone.
func listen(t *testing.T, s Source, hz float64) {
	t.Helper()
	buf := make([]float32, 2*480)
	best := 0.0
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		var heard []float32
		level := 0.0
		for begin := time.Now(); len(heard) < 4800; {
			mustRead(t, s, buf)
			heard = append(heard, channel(buf, 0, 2)...)
			time.Sleep(duration(int64(len(heard)), Rate) - time.Since(begin))
		}
		for _, x := range heard {
			level = max(level, math.Abs(float64(x)))
		}
		if level < 0.4 {
			continue
		}
		if best = min(best, purityNear(heard, hz)); best < -50 {
			return
		}
	}
	t.Fatalf("no clean tone of %.0f Hz: at best THD+N %.1f dB, %+v", hz, best, *s.Status().Live)
}

// The monitor gives what plays; when the server goes there is silence, and
// when it is back, sound.
func TestPulse(t *testing.T) {
	p := newPulseServer(t)
	for _, in := range []string{"pulse:monitor", "pulse:room.monitor", "pulse"} {
		s := mustOpen(t, Options{Inputs: []string{in}})
		if s.Channels() != 2 {
			t.Fatalf("%s: %d channels", in, s.Channels())
		}
		stop := p.play(t, 440)
		listen(t, s, 440)
		stop()
		if in != "pulse:room.monitor" {
			continue
		}
		p.stop()
		silent := make([]float32, 2*Rate)
		for begin := time.Now(); s.Status().Live.Connected && time.Since(begin) < 20*time.Second; {
			time.Sleep(10 * time.Millisecond)
		}
		mustRead(t, s, silent)
		mustRead(t, s, silent[:960])
		if silent[0] != 0 || silent[959] != 0 || s.Status().Live.Connected {
			t.Errorf("not silent without a server: %+v", *s.Status().Live)
		}
		p.start(t)
		stop = p.play(t, 880)
		listen(t, s, 880)
		stop()
	}
	if _, err := Open(context.Background(), Options{Inputs: []string{"pulse:nowhere"}}); err == nil || !strings.Contains(err.Error(), "pactl list short sources") {
		t.Errorf("unknown source: %v", err)
	}
}

func TestPulseWithoutServer(t *testing.T) {
	t.Setenv("PULSE_SERVER", "unix:"+filepath.Join(t.TempDir(), "none"))
	if _, err := Open(context.Background(), Options{Inputs: []string{"pulse"}}); err == nil || !strings.Contains(err.Error(), "PULSE_SERVER") {
		t.Errorf("%v", err)
	}
}

func TestPulseServerNames(t *testing.T) {
	for in, want := range map[string]pulseAddress{
		"/run/x": {"unix", "/run/x"}, "unix:/run/x": {"unix", "/run/x"}, "{abc}unix:/run/x": {"unix", "/run/x"},
		"tcp:host": {"tcp", "host:4713"}, "tcp6:[::1]:99": {"tcp6", "[::1]:99"}, "host:1": {"tcp", "host:1"}, "tcp6:[::1]": {"tcp6", "[::1]:4713"},
	} {
		if got := parsePulseServer(in); got != want {
			t.Errorf("%s: %v, want %v", in, got, want)
		}
	}
}

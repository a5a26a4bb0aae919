package source

import (
	"context"
	"math"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/internal/pulsetest"
)

// newPulseServer starts a PulseAudio server of the test's own with a null sink.
func newPulseServer(t *testing.T) *pulsetest.Server {
	t.Helper()
	s := pulsetest.New(t, "sink_name=room rate=44100 channels=2")
	s.Start(t)
	return s
}

// play plays a tone into the sink until the returned function is called.
func playTone(t *testing.T, hz float64) (stop func()) {
	t.Helper()
	raw := raw16(sine(0, 60*Rate, 1, hz, Rate, 0.5))
	cmd := exec.Command("pacat", "--playback", "--raw", "--format=s16le", "--rate=48000", "--channels=1", "--latency-msec=50")
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
		stop := playTone(t, 440)
		listen(t, s, 440)
		stop()
		if in != "pulse:room.monitor" {
			continue
		}
		p.Stop()
		silent := make([]float32, 2*Rate)
		for begin := time.Now(); s.Status().Live.Connected && time.Since(begin) < 20*time.Second; {
			time.Sleep(10 * time.Millisecond)
		}
		mustRead(t, s, silent)
		mustRead(t, s, silent[:960])
		if silent[0] != 0 || silent[959] != 0 || s.Status().Live.Connected {
			t.Errorf("not silent without a server: %+v", *s.Status().Live)
		}
		p.Start(t)
		stop = playTone(t, 880)
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

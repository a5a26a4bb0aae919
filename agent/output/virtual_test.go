package output

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/sync/timebase"
)

func TestMain(m *testing.M) {
	if path := os.Getenv("OUTPUT_TEST_RECORD"); path != "" {
		recordForever(path)
	}
	os.Exit(m.Run())
}

// recordForever plays into a recording until the process is killed.
func recordForever(path string) {
	clock := hostclock.New(0)
	device, err := Open("virtual:rate=44100,record="+path, clock)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	f := feeder{device: device}
	fmt.Fprintln(os.Stderr, f.run(clock, time.Hour))
	os.Exit(1)
}

// card opens a virtual card whose time the test sets.
func card(t *testing.T, spec string) *virtual {
	t.Helper()
	c, err := parseVirtual(spec)
	if err != nil {
		t.Fatal(err)
	}
	d, err := openVirtual(c, hostclock.New(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d.(*virtual)
}

// The crystal gains what it should, and instant is the inverse of framesAt.
func TestVirtualCrystal(t *testing.T) {
	const hour = int64(time.Hour)
	for spec, want := range map[string]float64{"ppm=120": 120, "ppm=-150,rate=44100": -150, "": 0, "swing=5,period=1h": 0} {
		v := card(t, spec)
		got := (v.framesAt(v.start+hour)/(3600*float64(v.rate)) - 1) * 1e6
		if math.Abs(got-want) > 1e-3 {
			t.Errorf("%q gains %.4f ppm in an hour, want %g", spec, got, want)
		}
		for _, frame := range []timebase.Card{0, 1, 123457, 90_000_000} {
			if back := v.framesAt(v.instant(frame)); math.Abs(back-float64(frame)) > 1e-4 {
				t.Errorf("%q: frame %d leaves at an instant when %.6f have left", spec, frame, back)
			}
		}
	}
	v := card(t, "swing=5,period=1h")
	quarter := (v.framesAt(v.start+hour/2)/(1800*48000) - 1) * 1e6
	if quarter < 3 || quarter > 3.3 { // 5 × 2/π, the mean of half a sine
		t.Errorf("half a period of swing gains %.3f ppm, want 3.18", quarter)
	}
}

// Positions move by the granularity and never look early.
func TestVirtualPosition(t *testing.T) {
	v := card(t, "ppm=100,granularity=256,jitter=50us,seed=3")
	late := time.Duration(0)
	for range 400 {
		p, err := v.Position()
		if err != nil {
			t.Fatal(err)
		}
		if p.Played%256 != 0 {
			t.Fatalf("position %d is no multiple of 256", p.Played)
		}
		if truth := v.framesAt(v.clock.Monotonic(p.At)); float64(p.Played) > truth {
			t.Fatalf("position %d at an instant when %.3f frames had left", p.Played, truth)
		}
		now := v.clock.Now()
		late = max(late, p.At.Sub(now))
	}
	if late <= 0 {
		t.Error("no stamp was ever late: there is no jitter")
	}
}

// A queue that runs dry is counted once, and numbering goes on with the DAC.
func TestVirtualXrun(t *testing.T) {
	v := card(t, "buffer=48000")
	if n, err := v.Write(0, make([]float32, 50000*Channels)); n < 48000 || n == 50000 || err != nil {
		t.Errorf("a queue of 48000 took %d frames, %v", n, err)
	}
	if n, _ := v.Write(48000, make([]float32, 48000*Channels)); n >= 48000 {
		t.Errorf("a full queue took %d frames", n)
	}
	v.run(v.start + int64(3*time.Second))
	p, err := v.Position()
	if err != nil || p.Xruns != 1 {
		t.Errorf("after running dry: %+v, %v", p, err)
	}
	if p.Written != 3*48000 || p.Played != 3*48000 {
		t.Errorf("after 3 s frame %d is the next to be written, %d have left", p.Written, p.Played)
	}
	if n, _ := v.Write(p.Written-40, make([]float32, 100*Channels)); n != 100 {
		t.Errorf("after running dry the queue took %d frames of 100", n)
	}
	if p, _ := v.Position(); p.Written != 3*48000+60 {
		t.Errorf("with 40 of 100 frames too late frame %d is the next", p.Written)
	}
}

func TestVirtualRefuses(t *testing.T) {
	for _, spec := range []string{"virtual:ppm=x", "virtual:rate=1", "virtual:granularity=-1", "virtual:colour=red", "wav:", "cassette", "wav:/nowhere/x.wav"} {
		if d, err := Open(spec, hostclock.New(0)); err == nil {
			d.Close()
			t.Errorf("%s was opened", spec)
		}
	}
	d, err := Open("null", hostclock.New(0))
	if err != nil || d.Format().Rate != 48000 || d.Format().Name != "null" {
		t.Fatalf("null: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// wav checks a recording's header against its length and returns its frames.
func wav(t *testing.T, path string, rate int) (frames int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) < wavHeader || string(b[:4]) != "RIFF" || string(b[8:16]) != "WAVEfmt " || string(b[36:40]) != "data" {
		t.Fatalf("%s is no WAV file", path)
	}
	if got := int(binary.LittleEndian.Uint32(b[24:])); got != rate {
		t.Errorf("rate %d, want %d", got, rate)
	}
	data := int(binary.LittleEndian.Uint32(b[40:]))
	if riff := int(binary.LittleEndian.Uint32(b[4:])); riff != data+36 {
		t.Errorf("RIFF says %d bytes, data %d", riff, data)
	}
	if data > len(b)-wavHeader {
		t.Errorf("the header promises %d bytes, %d are there", data, len(b)-wavHeader)
	}
	return data / (3 * Channels)
}

// What is played is in the file, at its own rate, with the instants beside it.
func TestWAV(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.wav")
	clock := hostclock.New(0)
	device, err := Open("wav:"+path, clock)
	if err != nil {
		t.Fatal(err)
	}
	f := feeder{device: device}
	if err := f.run(clock, 400*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if err := device.Close(); err != nil {
		t.Fatal(err)
	}
	if n := wav(t, path, 48000); n < 10000 {
		t.Fatalf("%d frames", n)
	}
	b, _ := os.ReadFile(path)
	right := 0
	for at := wavHeader; at+6 <= len(b); at += 6 {
		left := float64(int32(uint32(b[at])<<8|uint32(b[at+1])<<16|uint32(b[at+2])<<24)) / (1 << 31)
		n := timebase.Card(at-wavHeader) / 6
		if math.Abs(left-float64(noise(n))) < 1e-6 {
			right++
		}
	}
	if right < 9000 {
		t.Errorf("only %d frames are what was written", right)
	}
	side, err := os.ReadFile(path + ".instants")
	if err != nil || strings.Count(string(side), "\n") < 3 {
		t.Errorf("instants: %q, %v", side, err)
	}
}

// A process that is killed leaves a file that plays.
func TestRecordingSurvivesKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.wav")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "OUTPUT_TEST_RECORD="+path)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	const enough = wavHeader + 2*44100*6
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if info, err := os.Stat(path); err == nil && info.Size() > enough {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing is recorded")
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if n := wav(t, path, 44100); n < 44100 {
		t.Errorf("the header tells of %d frames, want a second at least", n)
	}
}

// A disk that is full costs the device, with a reason, and nothing else.
func TestRecordingDiskFull(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "full.wav")
	if err := os.Symlink("/dev/full", path); err != nil {
		t.Fatal(err)
	}
	clock := hostclock.New(0)
	device, err := Open("wav:"+path, clock)
	if err != nil {
		t.Fatal(err)
	}
	f := feeder{device: device}
	err = f.run(clock, patience)
	if !errors.Is(err, ErrGone) || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), path) {
		t.Errorf("recording to a full disk: %v", err)
	}
	if err := device.Close(); err == nil {
		t.Error("closing says nothing of what was lost")
	}
}

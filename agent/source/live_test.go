package source

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// pour is a live source that a test feeds by hand.
func pour(rate, channels int, target time.Duration) *live {
	l := newLive("test", rate, channels, target)
	l.stop = func() error { return nil }
	l.connected(true)
	return l
}

// biggestStep returns the largest difference between frames of one channel.
func biggestStep(pcm []float32) (worst float64, at int) {
	for i := 1; i < len(pcm); i++ {
		if d := math.Abs(float64(pcm[i] - pcm[i-1])); d > worst {
			worst, at = d, i
		}
	}
	return worst, at
}

func mustRead(t *testing.T, s Source, dst []float32) {
	t.Helper()
	if n, err := s.Read(dst); err != nil || n != len(dst)/s.Channels() {
		t.Fatalf("read %d frames, %v", n, err)
	}
}

// At 48 kHz, unsteered, what goes in comes out bit for bit.
func TestLiveIsTransparent(t *testing.T) {
	l := pour(Rate, 2, 20*time.Millisecond)
	l.finite = true
	in := make([]float32, 2*9600)
	for i := range in {
		in[i] = float32(int16(i*7919)) / (1 << 15)
	}
	if !l.feed(in, nil) {
		t.Fatal("closed")
	}
	l.connected(false)
	got := readAll(t, l)
	if len(got) != len(in) {
		t.Fatalf("%d samples, want %d", len(got), len(in))
	}
	for i := 2 * fadeFrames; i < len(in); i++ {
		if got[i] != in[i] {
			t.Fatalf("sample %d: %g became %g", i, in[i], got[i])
		}
	}
}

// A writer that pauses makes silence with soft edges, and comes back.
func TestLivePause(t *testing.T) {
	for _, packet := range []int{48, 240, 960} {
		l := pour(44100, 1, 20*time.Millisecond)
		var got []float32
		buf := make([]float32, packet)
		sent := 0
		for k := range 3 * Rate / packet {
			at := k * packet
			if at < Rate || at > 2*Rate { // a second each of tone, pause, tone
				want := int(int64(at+packet) * 44100 / Rate)
				if at > 2*Rate {
					want -= 44100
				}
				l.feed(sine(sent, want-sent, 1, 400, 44100, 0.5), nil)
				sent = want
			}
			mustRead(t, l, buf)
			got = append(got, buf...)
		}
		// 400 Hz at 0.5 moves by 0.026 a frame; a fade of 96 frames adds 0.005.
		if step, at := biggestStep(got); step > 0.035 {
			t.Errorf("packets of %d: a step of %.3f at frame %d", packet, step, at)
		}
		silent := 0
		for _, x := range got[Rate+4800 : 2*Rate] {
			if x == 0 {
				silent++
			}
		}
		if silent < Rate-4800 {
			t.Errorf("packets of %d: %d silent frames in the pause", packet, silent)
		}
		for _, from := range []int{Rate / 2, 5 * Rate / 2} {
			if thd := purityNear(got[from:from+9600], 400); thd > -90 {
				t.Errorf("packets of %d: THD+N %.1f dB from frame %d", packet, thd, from)
			}
		}
		if st := l.Status().Live; st.Underruns < 1 || st.Underruns > 2 || st.Overruns != 0 {
			t.Errorf("packets of %d: %+v", packet, *st)
		}
	}
}

// A clock that differs from ours is followed: the correction finds its rate and
// the fill stays near the target.
func TestSteering(t *testing.T) {
	for _, ppm := range []float64{-300, -50, 0, 100, 300} {
		const rate, target, packet = 44100, 1764, 240
		const piece = float64(packet) * rate / Rate // input frames per packet
		var s steering
		s.restart(target)
		fill, worst := float64(target), 0.0
		for k := range 900 * Rate / packet {
			if k%2 == 0 { // the writer's pieces are twice as long as our packets
				fill += 2 * piece * (1 + ppm*1e-6)
			}
			got := s.update(int(fill), target, rate, packet, false)
			fill -= piece * (1 + got*1e-6)
			worst = max(worst, math.Abs(fill-target)/rate)
		}
		if math.Abs(s.ppm-ppm) > 20 || worst > 0.03 {
			t.Errorf("%+.0f ppm: correction %+.1f, the fill was up to %.1f ms off", ppm, s.ppm, 1000*worst)
		}
	}
}

// Steering is clean.
func TestLiveFollowsDrift(t *testing.T) {
	const ppm, seconds = 200, 20
	l := pour(44100, 1, 40*time.Millisecond)
	rate := 44100 * (1 + ppm*1e-6)
	buf := make([]float32, 480)
	var tail []float32
	sent := 0
	for k := range seconds * 100 {
		for float64(sent) < rate*float64(k)/100 { // pieces of 10 ms by the writer's clock
			l.feed(sine(sent, 441, 1, 1000, 44100, 0.5), nil)
			sent += 441
		}
		mustRead(t, l, buf)
		if k >= (seconds-1)*100 {
			tail = append(tail, buf...)
		}
	}
	st := l.Status().Live
	if math.Abs(st.PPM) > 2*ppm || st.Underruns != 0 || st.Overruns != 0 {
		t.Errorf("%+v", *st)
	}
	if thd := purityNear(tail[:9600], 1000); thd > -90 {
		t.Errorf("THD+N %.1f dB", thd)
	}
}

// Too much from a writer that does not wait: old audio goes, without a click.
func TestLiveOverrun(t *testing.T) {
	l := pour(Rate, 1, 20*time.Millisecond)
	var got []float32
	buf := make([]float32, 240)
	sent := 0
	for k := range 400 {
		n := 240
		if k == 100 || k == 200 {
			n = Rate / 2 // all at once
		}
		for n > 0 {
			piece := min(n, 4000)
			l.feed(sine(sent, piece, 1, 300, Rate, 0.5), nil)
			sent, n = sent+piece, n-piece
		}
		mustRead(t, l, buf)
		got = append(got, buf...)
	}
	if step, at := biggestStep(got); step > 0.04 {
		t.Errorf("a step of %.3f at frame %d", step, at)
	}
	st := l.Status().Live
	if st.Overruns < 2 || st.Dropped < Rate/2 || st.Fill > 500*time.Millisecond {
		t.Errorf("%+v", *st)
	}
}

// A backlog that a writer with a clock of its own brings along is dropped.
func TestLiveBacklog(t *testing.T) {
	l := pour(Rate, 1, 40*time.Millisecond)
	l.feed(make([]float32, 14400), nil)
	buf := make([]float32, 480)
	for range 1200 {
		mustRead(t, l, buf)
		l.feed(buf, nil)
	}
	if st := l.Status().Live; st.Fill > 60*time.Millisecond || st.Overruns != 1 {
		t.Errorf("%+v", *st)
	}
}

// fifo makes a FIFO and opens a live source on it.
func fifo(t *testing.T, format string) (string, Source) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, mustOpen(t, Options{Inputs: []string{path}, Format: format})
}

// raw16 makes s16le bytes of mono audio.
func raw16(pcm []float32) []byte {
	wav := wavBytes(pcm, 1, Rate, 16, wavePCM)
	return wav[len(wav)-2*len(pcm):]
}

// hear reads until the source has played at least the given frames of sound
// and has fallen silent again.
func hear(t *testing.T, s Source, frames int) []float32 {
	t.Helper()
	var sound []float32
	buf := make([]float32, 240)
	deadline := time.Now().Add(30 * time.Second)
	for quiet := 0; len(sound) < frames || quiet < 100; {
		mustRead(t, s, buf)
		loud := false
		for _, x := range buf {
			loud = loud || x != 0
		}
		if loud {
			sound, quiet = append(sound, buf...), 0
		} else {
			quiet++
			time.Sleep(time.Millisecond)
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d frames heard, want %d: %+v", len(sound), frames, *s.Status().Live)
		}
	}
	return sound
}

// Writers come and go, and may be faster than we are: every one is heard in
// full, and there is silence between.
func TestFIFO(t *testing.T) {
	path, s := fifo(t, "s16le:48000:1")
	buf := make([]float32, 4800)
	mustRead(t, s, buf) // silence while nobody writes
	for k, seconds := range []int{1, 3, 1} {
		data := raw16(sine(0, seconds*Rate, 1, 400, Rate, 0.5))
		if k == 2 { // another FIFO of the same name
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		wrote := make(chan error, 1)
		go func() { wrote <- os.WriteFile(path, data, 0) }()
		sound := hear(t, s, seconds*Rate-2*240)
		if err := <-wrote; err != nil {
			t.Fatal(err)
		}
		if n := len(sound); n < seconds*Rate-480 || n > seconds*Rate+480 {
			t.Errorf("writer %d: %d frames of sound, want %d", k, n, seconds*Rate)
		}
		if step, at := biggestStep(sound); step > 0.04 {
			t.Errorf("writer %d: a step of %.3f at frame %d", k, step, at)
		}
	}
	if st := s.Status().Live; st.Overruns != 0 || st.Connected {
		t.Errorf("%+v", *st)
	}
}

// What a pipe holds when its writer has gone is played, also where that is
// seconds of audio.
func TestFIFOSlowRate(t *testing.T) {
	path, s := fifo(t, "s16le:8000:1")
	const seconds = 12
	data := raw16(sine(0, seconds*8000, 1, 400, 8000, 0.5))
	go func() { _ = os.WriteFile(path, data, 0) }()
	sound := hear(t, s, seconds*Rate-4800)
	if st := s.Status().Live; st.Overruns != 0 {
		t.Errorf("%d frames of sound, %+v", len(sound), *st)
	}
}

// An odd byte of one writer must not shift the next one's samples.
func TestFIFOPartialFrame(t *testing.T) {
	path, s := fifo(t, "s16le:48000:1")
	for range 2 {
		data := append(raw16(sine(0, 9600, 1, 400, Rate, 0.5)), 0x55)
		if err := os.WriteFile(path, data, 0); err != nil {
			t.Fatal(err)
		}
		if step, _ := biggestStep(hear(t, s, 9000)); step > 0.04 {
			t.Errorf("a step of %.3f", step)
		}
	}
}

func TestFIFOClose(t *testing.T) {
	path, s := fifo(t, "f32le:96000:2")
	w, err := os.OpenFile(path, os.O_WRONLY, 0) // a writer that stays and is silent
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(make([]float32, 480)); !errors.Is(err, io.EOF) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := Open(context.Background(), Options{Inputs: []string{path}}); err == nil || !strings.Contains(err.Error(), "name its --format") {
		t.Errorf("without a format: %v", err)
	}
}

// stdin is played to its end, however fast it comes.
func TestStdin(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stdin
	os.Stdin = r
	defer func() { os.Stdin = old }()
	in := sine(0, 2*Rate, 1, 400, Rate, 0.5)
	go func() {
		_, _ = w.Write(raw16(in))
		_ = w.Close()
	}()
	s := mustOpen(t, Options{Inputs: []string{"-"}, Format: "s16le:48000:1"})
	var sound []float32
	buf := make([]float32, 480)
	for {
		n, err := s.Read(buf)
		for _, x := range buf[:n] {
			if x != 0 || len(sound) > 0 {
				sound = append(sound, x)
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Microsecond)
	}
	if d := len(in) - len(sound); d < 0 || d > 3 { // the first sample is 0 and faded
		t.Errorf("%d frames, want %d", len(sound), len(in))
	}
	if step, at := biggestStep(sound); step > 0.04 {
		t.Errorf("a step of %.3f at frame %d", step, at)
	}
	_ = r.Close()
}

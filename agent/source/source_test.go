package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWAVFormats(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		bits, channels int
		tag            uint16
		within         float64
	}{
		{8, 1, wavePCM, 1.0 / 256}, {16, 2, wavePCM, 1.0 / 65536}, {24, 6, wavePCM, 1.0 / (1 << 24)},
		{32, 2, wavePCM, 1e-7}, {32, 2, waveFloat, 0}, {64, 1, waveFloat, 0},
		{16, 8, waveExtensible, 1.0 / 65536}, {24, 2, waveExtensible, 1.0 / (1 << 24)},
	} {
		name := fmt.Sprintf("%d-%d-%d.bin", c.bits, c.channels, c.tag)
		want := sine(0, 5000, c.channels, 997, Rate, 0.9)
		data := string(wavBytes(want, c.channels, Rate, c.bits, c.tag))
		if c.bits == 24 { // an odd chunk is padded
			data = data[:12] + "LIST\x05\x00\x00\x00abcde\x00" + data[12:]
		}
		got := readInputs(t, writeFile(t, dir, name, []byte(data)))
		if len(got) != len(want) {
			t.Errorf("%s: %d samples, want %d", name, len(got), len(want))
			continue
		}
		for i := range got {
			if d := math.Abs(float64(got[i] - want[i])); d > c.within*1.001 {
				t.Errorf("%s: sample %d is %g, want %g", name, i, got[i], want[i])
				break
			}
		}
	}
}

// Damaged and cut WAV files give an error or what there is of them.
func TestWAVDamaged(t *testing.T) {
	dir := t.TempDir()
	whole := wavBytes(sine(0, 1000, 2, 997, Rate, 0.5), 2, Rate, 16, wavePCM)
	for n := range len(whole) {
		if n%7 != 0 && n > 90 {
			continue
		}
		s, err := Open(context.Background(), Options{Inputs: []string{writeFile(t, dir, "cut.wav", whole[:n])}})
		if err != nil {
			continue
		}
		if got := len(readAll(t, s)); got > 2000 {
			t.Errorf("cut at %d: %d samples", n, got)
		}
		_ = s.Close()
	}
	streamed := append([]byte(nil), whole...)
	copy(streamed[4:], "\xff\xff\xff\xff")
	at := strings.Index(string(streamed), "data") + 4
	for _, size := range []string{"\xff\xff\xff\xff", "\x00\x00\x00\x00", "\xff\xff\xff\x7f"} {
		copy(streamed[at:], size)
		if got := len(readInputs(t, writeFile(t, dir, "streamed.wav", streamed))); got != 2000 {
			t.Errorf("size %x: %d samples, want 2000", size, got)
		}
	}
}

func TestResamplingPurity(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		rate int
		hz   float64
	}{{44100, 997}, {44100, 15000}, {96000, 997}, {88200, 997}, {192000, 997}, {8000, 997}, {22050, 997}, {32000, 5000}} {
		wav := wavBytes(sine(0, 2*c.rate, 1, c.hz, float64(c.rate), 0.5), 1, c.rate, 24, wavePCM)
		got := readInputs(t, writeFile(t, dir, "tone.wav", wav))
		if d := len(got) - 2*Rate; d < -1 || d > 1 {
			t.Errorf("%d Hz: %d frames, want %d", c.rate, len(got), 2*Rate)
		}
		thd := purity(got[4800:len(got)-4800], c.hz)
		t.Logf("%.0f Hz tone from %d Hz: THD+N %.1f dB", c.hz, c.rate, thd)
		if thd > -100 {
			t.Errorf("%.0f Hz tone from %d Hz: THD+N %.1f dB, want -100", c.hz, c.rate, thd)
		}
	}
}

// One tone cut into files must come out as one tone, also through a resampler
// and with entries between that cannot be played.
func TestGapless(t *testing.T) {
	for _, rate := range []int{48000, 44100, 96000} {
		dir := t.TempDir()
		var list []string
		for k := range 5 {
			wav := wavBytes(sine(k*12345, 12345, 2, 997, float64(rate), 0.5), 2, rate, 24, wavePCM)
			list = append(list, writeFile(t, dir, fmt.Sprintf("%d.wav", k), wav))
			list = append(list, writeFile(t, dir, fmt.Sprintf("%d.txt", k), []byte("no audio at all")))
		}
		s := mustOpen(t, Options{Inputs: list})
		got := readAll(t, s)
		if want := 5 * 12345 * (Rate / 100) / (rate / 100); len(got)/2 < want-1 || len(got)/2 > want+1 {
			t.Errorf("%d Hz: %d frames, want %d", rate, len(got)/2, want)
		}
		left := channel(got, 0, 2)
		if thd := purity(left[2400:len(left)-2400], 997); thd > -100 {
			t.Errorf("%d Hz: THD+N %.1f dB across the joints", rate, thd)
		}
		if s.Status().Skipped < 4 {
			t.Errorf("%d entries skipped, want at least 4", s.Status().Skipped)
		}
	}
}

// Files of different rates follow each other with no more than a frame between.
func TestRatesChange(t *testing.T) {
	dir := t.TempDir()
	var list []string
	frames := 0
	for k, rate := range []int{44100, 48000, 96000, 48000, 22050} {
		wav := wavBytes(sine(0, rate/5, 1, 500, float64(rate), 0.5), 1, rate, 16, wavePCM)
		list = append(list, writeFile(t, dir, fmt.Sprintf("%d.wav", k), wav))
		frames += Rate / 5
	}
	got := readInputs(t, list...)
	if d := len(got) - frames; d < -4 || d > 4 {
		t.Errorf("%d frames, want %d", len(got), frames)
	}
	for i := 1; i < len(got); i++ {
		// 500 Hz at 0.5 moves by 0.033 a frame; every piece is whole periods.
		if d := math.Abs(float64(got[i] - got[i-1])); d > 0.05 {
			t.Fatalf("a step of %.3f at frame %d", d, i)
		}
	}
}

func TestLoopAndStatus(t *testing.T) {
	dir := t.TempDir()
	a := writeFile(t, dir, "a.wav", wavBytes(sine(0, 4800, 1, 1000, Rate, 0.5), 1, Rate, 16, wavePCM))
	b := writeFile(t, dir, "b.wav", wavBytes(sine(0, 9600, 1, 1000, Rate, 0.25), 1, Rate, 16, wavePCM))
	s := mustOpen(t, Options{Inputs: []string{a, b}, Loop: true})
	buf := make([]float32, 480)
	for k := range 100 { // 48000 frames: more than three rounds
		if n, err := s.Read(buf); n != 480 || err != nil {
			t.Fatalf("read %d: %d, %v", k, n, err)
		}
		want, level := a, 0.5
		if k%30 >= 10 {
			want, level = b, 0.25
		}
		st := s.Status()
		if st.Input != want || st.Count != 2 || st.Elapsed > 200*time.Millisecond {
			t.Fatalf("chunk %d: %+v, want %s", k, st, want)
		}
		peak := float32(0)
		for _, x := range buf {
			peak = max(peak, x)
		}
		if math.Abs(float64(peak)-level) > 0.01 {
			t.Fatalf("chunk %d: peak %.3f, want %.2f", k, peak, level)
		}
	}
}

func TestChannelMapping(t *testing.T) {
	for _, c := range []struct {
		in, out int
		frame   []float32
		want    []float32
	}{
		{1, 2, []float32{0.5}, []float32{0.5, 0.5}},
		{1, 4, []float32{0.5}, []float32{0.5, 0.5, 0, 0}},
		{2, 1, []float32{0.5, 0.1}, []float32{0.3}},
		{2, 4, []float32{0.5, 0.1}, []float32{0.5, 0.1, 0, 0}},
		{6, 2, []float32{1, 1, 1, 1, 1, 1}, []float32{1, 1}},
		{6, 2, []float32{0, 0, 0, 1, 0, 0}, []float32{0, 0}},
		{6, 2, []float32{0, 0, 0, 0, 1, 0}, []float32{0.29289, 0}},
		{6, 2, []float32{1, 0, 0, 0, 0, 0}, []float32{0.41421, 0}},
		{8, 1, []float32{0, 0, 1, 0, 0, 0, 0, 0}, []float32{0.22654}},
		{6, 4, []float32{1, 2, 3, 4, 5, 6}, []float32{1, 2, 3, 4}},
		{3, 3, []float32{1, 2, 3}, []float32{1, 2, 3}},
	} {
		got := newMixer(c.in, c.out).append(nil, c.frame)
		for i := range c.want {
			if math.Abs(float64(got[i]-c.want[i])) > 1e-4 {
				t.Errorf("%d to %d: %v became %v, want %v", c.in, c.out, c.frame, got, c.want)
				break
			}
		}
	}
}

func TestFirstFileDecidesChannels(t *testing.T) {
	dir := t.TempDir()
	a := writeFile(t, dir, "a.wav", wavBytes(sine(0, 1000, 2, 1000, Rate, 0.5), 2, Rate, 16, wavePCM))
	b := writeFile(t, dir, "b.wav", wavBytes(sine(0, 1000, 1, 1000, Rate, 0.5), 1, Rate, 16, wavePCM))
	if got := readInputs(t, a, b); len(got) != 4000 {
		t.Errorf("%d samples, want 4000", len(got))
	}
	if got := readInputs(t, b, a); len(got) != 2000 {
		t.Errorf("%d samples, want 2000", len(got))
	}
	s := mustOpen(t, Options{Inputs: []string{b}, Channels: 4})
	if got := readAll(t, s); len(got) != 4000 || s.Channels() != 4 {
		t.Errorf("%d samples in %d channels", len(got), s.Channels())
	}
}

func TestPlaylists(t *testing.T) {
	dir := t.TempDir()
	sub := filepath.Join(dir, "sub")
	if err := os.Mkdir(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	make1 := func(dir, name string, frames int) string {
		return writeFile(t, dir, name, wavBytes(make([]float32, frames), 1, Rate, 16, wavePCM))
	}
	a := make1(dir, "a b.wav", 100)
	make1(sub, "c.wav", 1000)
	writeFile(t, sub, "cover.jpg", []byte("\xff\xd8\xff\xe0 a picture"))
	m3u := writeFile(t, dir, "list.M3U", []byte("# comment\r\na b.wav\r\n\r\nsub\\c.wav\r\nhttp://x.invalid/s.mp3\nmissing.wav\n"))
	m3u8 := writeFile(t, dir, "ext", []byte("\xef\xbb\xbf#EXTM3U\n#EXTINF:1,Name\n"+a+"\nlist.M3U\n"))
	pls := writeFile(t, dir, "l.pls", []byte("[playlist]\nFile1=sub/c.wav\nTitle1=x\nfile2 = file://"+strings.ReplaceAll(a, " ", "%20")+"\nNumberOfEntries=2\n"))
	self := writeFile(t, dir, "self.m3u", []byte("self.m3u\na b.wav\n"))
	for path, want := range map[string]int{m3u: 1100, m3u8: 1200, pls: 1100, sub: 1000, dir: 1100} {
		if got := len(readInputs(t, path)); got != want {
			t.Errorf("%s: %d samples, want %d", path, got, want)
		}
	}
	if got := len(readInputs(t, self)); got < 100 {
		t.Errorf("a playlist that names itself: %d samples", got)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	text := writeFile(t, dir, "notes.txt", []byte("Dear diary, this is not audio."))
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	list := writeFile(t, dir, "l.m3u", []byte("gone.wav\nnotes.txt\n"))
	adpcm := wavBytes(make([]float32, 100), 1, Rate, 16, 2)
	for _, c := range []struct {
		opt  Options
		want string
	}{
		{Options{}, "no input"},
		{Options{Inputs: []string{filepath.Join(dir, "gone.wav")}}, "no such file"},
		{Options{Inputs: []string{text}}, "is not WAV, FLAC, MP3, Ogg Vorbis or Ogg Opus; for raw PCM name its --format, e.g. s16le:48000:2"},
		{Options{Inputs: []string{empty}}, "no audio file"},
		{Options{Inputs: []string{list}}, "none of 2 inputs can be played"},
		{Options{Inputs: []string{writeFile(t, dir, "x.wav", adpcm)}}, "WAV format 2"},
		{Options{Inputs: []string{"tune", text}}, "give it alone"},
		{Options{Inputs: []string{"tune:x"}}, "takes no argument"},
		{Options{Inputs: []string{"tone:x"}}, "tone:440:-20"},
		{Options{Inputs: []string{"tone:440:3"}}, "tone:440:-20"},
		{Options{Inputs: []string{"tone:NaN"}}, "tone:440:-20"},
		{Options{Inputs: []string{text}, Channels: 9}, "choose 1 to 8"},
		{Options{Inputs: []string{text}, Format: "s16be:1:1"}, "s16le:48000:2"},
	} {
		s, err := Open(context.Background(), c.opt)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one with %q", c.opt, err, c.want)
		}
		if s != nil {
			t.Errorf("%+v: a source beside the error", c.opt)
		}
	}
}

func TestRawFile(t *testing.T) {
	dir := t.TempDir()
	want := sine(0, 3000, 2, 997, Rate, 0.5)
	wav := wavBytes(want, 2, Rate, 16, wavePCM)
	raw := writeFile(t, dir, "x.raw", wav[len(wav)-12000:])
	got := readAll(t, mustOpen(t, Options{Inputs: []string{raw}, Format: "s16le:48000:2"}))
	if len(got) != len(want) {
		t.Fatalf("%d samples, want %d", len(got), len(want))
	}
	for i := range got {
		if math.Abs(float64(got[i]-want[i])) > 1.0/65000 {
			t.Fatalf("sample %d is %g, want %g", i, got[i], want[i])
		}
	}
}

func TestToneAndSilence(t *testing.T) {
	pcm := make([]float32, 2*Rate)
	for _, c := range []struct {
		in    string
		hz    float64
		level float64
	}{{"tone", 1000, 0.1}, {"tone:440", 440, 0.1}, {"tone:1234.5:-6", 1234.5, 0.50119}, {"tone::-40", 1000, 0.01}} {
		s := mustOpen(t, Options{Inputs: []string{c.in}})
		if n, err := s.Read(pcm); n != Rate || err != nil {
			t.Fatal(n, err)
		}
		left, right := channel(pcm, 0, 2), channel(pcm, 1, 2)
		sum := 0.0
		for i, x := range left {
			sum += float64(x) * float64(x)
			if x != right[i] {
				t.Fatalf("%s: the sides differ", c.in)
			}
		}
		if got := math.Sqrt(2 * sum / Rate); math.Abs(got/c.level-1) > 1e-3 {
			t.Errorf("%s: level %.5f, want %.5f", c.in, got, c.level)
		}
		if thd := purity(left, c.hz); thd > -140 {
			t.Errorf("%s: THD+N %.1f dB", c.in, thd)
		}
	}
	s := mustOpen(t, Options{Inputs: []string{"silence"}, Channels: 1})
	if n, err := s.Read(pcm); n != 2*Rate || err != nil || pcm[7] != 0 {
		t.Error(n, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Read(pcm); !errors.Is(err, io.EOF) {
		t.Errorf("after Close: %v", err)
	}
}

// Close unblocks a reader and may be called at any time.
func TestCloseWhileReading(t *testing.T) {
	dir := t.TempDir()
	path := writeFile(t, dir, "a.wav", wavBytes(make([]float32, 2*Rate), 2, Rate, 16, wavePCM))
	for range 20 {
		s, err := Open(context.Background(), Options{Inputs: []string{path}, Loop: true, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error)
		go func() {
			buf := make([]float32, 960)
			for {
				if _, err := s.Read(buf); err != nil {
					ended <- err
					return
				}
			}
		}()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

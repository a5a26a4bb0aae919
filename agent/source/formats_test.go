package source

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mewkiz/flac"
	"github.com/mewkiz/flac/frame"
	"github.com/mewkiz/flac/meta"
	"github.com/thesyncim/gopus"
	"github.com/thesyncim/gopus/container/ogg"
)

// flacBytes makes a FLAC file of plain frames.
func flacBytes(t testing.TB, pcm []float32, channels, rate, bits int, blocks ...*meta.Block) []byte {
	t.Helper()
	var buf bytes.Buffer
	info := &meta.StreamInfo{
		BlockSizeMin: 16, BlockSizeMax: 4096, SampleRate: uint32(rate), NChannels: uint8(channels),
		BitsPerSample: uint8(bits), NSamples: uint64(len(pcm) / channels),
	}
	enc, err := flac.NewEncoder(&buf, info, blocks...)
	if err != nil {
		t.Fatal(err)
	}
	enc.EnablePredictionAnalysis(false) // fails where int has 32 bits
	assignment := []frame.Channels{0, frame.ChannelsMono, frame.ChannelsLR}[channels]
	for len(pcm) > 0 {
		n := min(4096, len(pcm)/channels)
		f := &frame.Frame{Header: frame.Header{
			HasFixedBlockSize: false, BlockSize: uint16(n), SampleRate: uint32(rate),
			Channels: assignment, BitsPerSample: uint8(bits),
		}}
		for c := range channels {
			s := &frame.Subframe{SubHeader: frame.SubHeader{Pred: frame.PredVerbatim}, NSamples: n}
			for i := range n {
				s.Samples = append(s.Samples, int32(math.Round(float64(pcm[i*channels+c])*float64(int(1)<<(bits-1)))))
			}
			f.Subframes = append(f.Subframes, s)
		}
		if err := enc.WriteFrame(f); err != nil {
			t.Fatal(err)
		}
		pcm = pcm[n*channels:]
	}
	if err := enc.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestFLACFiles(t *testing.T) {
	dir := t.TempDir()
	for _, bits := range []int{16, 24} {
		for channels := 1; channels <= 2; channels++ {
			want := sine(0, 12345, channels, 997, Rate, 0.9)
			data := flacBytes(t, want, channels, Rate, bits)
			id3 := append([]byte("ID3\x04\x00\x00\x00\x00\x00\x05abcde"), data...)
			for name, b := range map[string][]byte{"plain": data, "behind ID3": id3} {
				got := readInputs(t, writeFile(t, dir, "x", b))
				if len(got) != len(want) {
					t.Fatalf("%s: %d samples, want %d", name, len(got), len(want))
				}
				for i := range got {
					if math.Abs(float64(got[i]-want[i])) > 1.001/float64(int(1)<<bits) {
						t.Fatalf("%s: sample %d is %g, want %g", name, i, got[i], want[i])
					}
				}
			}
		}
	}
}

func TestFLACGaplessAt44100(t *testing.T) {
	dir := t.TempDir()
	whole := sine(0, 88200, 2, 997, 44100, 0.5)
	a := writeFile(t, dir, "a", flacBytes(t, whole[:2*30011], 2, 44100, 24))
	b := writeFile(t, dir, "b", flacBytes(t, whole[2*30011:], 2, 44100, 24))
	got := channel(readInputs(t, a, b), 0, 2)
	if d := len(got) - 96000; d < -1 || d > 1 {
		t.Errorf("%d frames, want 96000", len(got))
	}
	if thd := purity(got[2400:len(got)-2400], 997); thd > -110 {
		t.Errorf("THD+N %.1f dB across the joint", thd)
	}
}

// damaged flips and cuts bytes of a file and checks that opening and reading it
// ends, with an error or without.
func damaged(t *testing.T, data []byte) {
	t.Helper()
	dir := t.TempDir()
	for k := range 24 {
		bad := append([]byte(nil), data...)
		seed := uint32(k)
		for range 1 + k%9 {
			seed = seed*1664525 + 1013904223
			at := int(seed>>1) % len(bad)
			if k%2 == 0 {
				at = int(seed>>1) % min(400, len(bad)) // headers
			}
			bad[at] ^= byte(1 << (seed >> 29))
		}
		if k%5 == 0 {
			bad = bad[:int(seed>>1)%len(bad)]
		}
		tr, err := openTrack(writeFile(t, dir, "bad", bad), nil)
		if err != nil {
			continue
		}
		pcm := make([]float32, 1024*tr.channels)
		frames := 0
		for frames < 100*Rate {
			n, err := tr.read(pcm)
			frames += n
			if err != nil {
				break
			}
		}
		if frames >= 100*Rate {
			t.Errorf("damage %d: it does not end", k)
		}
		_ = tr.close()
	}
}

func TestFLACDamaged(t *testing.T) {
	damaged(t, flacBytes(t, sine(0, 9000, 2, 997, Rate, 0.9), 2, Rate, 16))
}

// oggOpus makes an Ogg Opus file with the library's writer.
func oggOpus(t testing.TB, pcm []float32, channels int) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := ogg.NewWriter(&buf, Rate, uint8(channels))
	if err != nil {
		t.Fatal(err)
	}
	enc, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: Rate, Channels: channels, Application: gopus.ApplicationAudio})
	if err != nil {
		t.Fatal(err)
	}
	if err := enc.SetBitrate(192000); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4000)
	for n := 960 * channels; len(pcm) >= n; pcm = pcm[n:] {
		k, err := enc.Encode(pcm[:n], b)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.WritePacket(b[:k], 960); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestOggOpusPure(t *testing.T) {
	want := sine(0, 96000, 2, 997, Rate, 0.5)
	data := oggOpus(t, want, 2)
	got := readInputs(t, writeFile(t, t.TempDir(), "x", data))
	if len(got)/2 < 95000 || len(got)/2 > 96000 {
		t.Errorf("%d frames of 96000", len(got)/2)
	}
	if thd := purity(channel(got, 0, 2)[4800:80000], 997); thd > -35 {
		t.Errorf("THD+N %.1f dB", thd)
	}
	damaged(t, data)
}

// encodeWith makes a file of two seconds and a bit with a tool of the system.
func encodeWith(t *testing.T, pcm []float32, channels, rate int, name string, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	in := writeFile(t, dir, "in.wav", wavBytes(pcm, channels, rate, 16, wavePCM))
	out := filepath.Join(dir, "out")
	for i, a := range args {
		args[i] = strings.NewReplacer("IN", in, "OUT", out).Replace(a)
	}
	run(t, name, args...)
	return out
}

// Lossy files have exactly the frames that went in, at their place.
func TestLossyFiles(t *testing.T) {
	for _, c := range []struct {
		name     string
		rate, ch int
		within   int // frames
		tool     string
		args     []string
	}{
		{"mp3 cbr", 44100, 2, 0, "lame", []string{"--quiet", "-b", "192", "IN", "OUT"}},
		{"mp3 vbr", 48000, 2, 0, "lame", []string{"--quiet", "-V", "2", "IN", "OUT"}},
		{"mp3 mono", 44100, 1, 0, "lame", []string{"--quiet", "-b", "128", "IN", "OUT"}},
		{"mp3 16000", 16000, 2, 0, "lame", []string{"--quiet", "-b", "96", "IN", "OUT"}},
		{"mp3 24000 mono", 24000, 1, 0, "lame", []string{"--quiet", "-b", "64", "IN", "OUT"}},
		{"vorbis", 44100, 2, 0, "oggenc", []string{"-Q", "-q", "6", "-o", "OUT", "IN"}},
		{"vorbis mono", 22050, 1, 0, "oggenc", []string{"-Q", "-q", "6", "-o", "OUT", "IN"}},
		{"opus", 48000, 2, 0, "opusenc", []string{"--quiet", "--bitrate", "160", "IN", "OUT"}},
		{"opus mono", 48000, 1, 0, "opusenc", []string{"--quiet", "--bitrate", "96", "IN", "OUT"}},
		{"opus 60 ms", 48000, 2, 0, "opusenc", []string{"--quiet", "--framesize", "60", "IN", "OUT"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			frames := c.rate/2 + 777
			pcm := sine(0, frames, c.ch, 997, float64(c.rate), 0.5)
			path := encodeWith(t, pcm, c.ch, c.rate, c.tool, c.args...)
			tr, err := openTrack(path, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tr.close() }()
			if tr.rate != c.rate || tr.channels != c.ch || tr.frames != int64(frames) {
				t.Errorf("%d Hz, %d channels, %d frames; want %d, %d, %d", tr.rate, tr.channels, tr.frames, c.rate, c.ch, frames)
			}
			var got []float32
			buf := make([]float32, 1000*c.ch)
			for {
				n, err := tr.read(buf)
				got = append(got, buf[:n*c.ch]...)
				if err != nil {
					break
				}
			}
			if d := len(got)/c.ch - frames; d < -c.within || d > c.within {
				t.Errorf("%d frames, want %d", len(got)/c.ch, frames)
			}
			// In place: the difference to what went in is small.
			// (LAME turns some rates and mono down by 5 %).
			n := min(len(got), len(pcm))
			xx, xy, sum := 0.0, 0.0, 0.0
			for i := range n {
				xx += float64(pcm[i]) * float64(pcm[i])
				xy += float64(pcm[i]) * float64(got[i])
			}
			if gain := xy / xx; gain < 0.94 || gain > 1.01 {
				t.Errorf("gain %.3f", gain)
			}
			for i := range n {
				d := float64(got[i]) - xy/xx*float64(pcm[i])
				sum += d * d
			}
			if db := 10 * math.Log10(sum/float64(n)/0.125); db > -30 {
				t.Errorf("differs from what went in by %.1f dB", db)
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			damaged(t, data[:min(len(data), 8000)])
		})
	}
}

// A tone cut into two lossy files goes on at the joint.
func TestLossyGapless(t *testing.T) {
	whole := sine(0, 96000, 2, 441, Rate, 0.5)
	cut := 2 * 48111
	for _, c := range [][]string{
		{"lame", "--quiet", "-b", "320", "IN", "OUT"}, {"oggenc", "-Q", "-q", "9", "-o", "OUT", "IN"},
		{"opusenc", "--quiet", "--bitrate", "256", "IN", "OUT"},
	} {
		a := encodeWith(t, whole[:cut], 2, Rate, c[0], append([]string{}, c[1:]...)...)
		b := encodeWith(t, whole[cut:], 2, Rate, c[0], append([]string{}, c[1:]...)...)
		got := readInputs(t, a, b)
		if len(got) != len(whole) {
			t.Errorf("%s: %d samples, want %d", c[0], len(got), len(whole))
			continue
		}
		worst := 0.0
		for i := cut - 960; i < cut+960; i++ {
			worst = max(worst, math.Abs(float64(got[i]-whole[i])))
		}
		t.Logf("%s: largest error near the joint %.4f", c[0], worst)
		if worst > 0.08 {
			t.Errorf("%s: error %.3f near the joint", c[0], worst)
		}
	}
}

// Surround from Opus comes in the order of WAV.
func TestSurroundOrder(t *testing.T) {
	levels := []float64{0.1, 0.2, 0.3, 0.4, 0.5, 0.6}
	pcm := make([]float32, 6*Rate)
	for i := range Rate {
		for c, l := range levels {
			pcm[i*6+c] = float32(l * math.Sin(2*math.Pi*60*float64(i)/Rate))
		}
	}
	for _, c := range [][]string{{"opusenc", "--quiet", "--bitrate", "510", "IN", "OUT"}} {
		got := readInputs(t, encodeWith(t, pcm, 6, Rate, c[0], c[1:]...))
		for ch, want := range levels {
			peak := 0.0
			for _, x := range channel(got, ch, 6)[4800:40000] {
				peak = max(peak, math.Abs(float64(x)))
			}
			if math.Abs(peak-want) > 0.04 {
				t.Errorf("%s: channel %d has level %.2f, want %.2f", c[0], ch, peak, want)
			}
		}
	}
}

// pictureBlock makes the body of a FLAC picture block.
func pictureBlock(kind uint32, media string, data []byte) []byte {
	be := binary.BigEndian
	b := be.AppendUint32(nil, kind)
	b = append(be.AppendUint32(b, uint32(len(media))), media...)
	b = append(be.AppendUint32(b, 0), make([]byte, 16)...)
	return append(be.AppendUint32(b, uint32(len(data))), data...)
}

func commentBlock(pairs ...string) []byte {
	le := binary.LittleEndian
	b := append(le.AppendUint32(nil, 4), "test"...)
	b = le.AppendUint32(b, uint32(len(pairs)))
	for _, p := range pairs {
		b = append(le.AppendUint32(b, uint32(len(p))), p...)
	}
	return b
}

func TestTagsOfFLAC(t *testing.T) {
	plain := flacBytes(t, make([]float32, 4800), 1, Rate, 16)
	plain[4] &^= 0x80 // more blocks follow STREAMINFO
	insert := func(blocks ...[]byte) string {
		out := append([]byte(nil), plain[:42]...)
		return writeFile(t, t.TempDir(), "x.flac", append(bytes.Join(append([][]byte{out}, blocks...), nil), plain[42:]...))
	}
	block := func(kind byte, body []byte) []byte {
		return append([]byte{kind, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
	}
	comments := commentBlock("title=Süßer Klang", "ARTIST=A", "junk", "Album=B=C", "ARTIST=second")
	tags := func(path string) Tags { return mustOpen(t, Options{Inputs: []string{path}}).Status().Tags }

	got := tags(insert(block(6, pictureBlock(0, "image/png", []byte("icon"))), block(4, comments), block(0x80|6, pictureBlock(3, "image/jpeg", []byte("front")))))
	if got.Title != "Süßer Klang" || got.Artist != "A" || got.Album != "B=C" || string(got.Artwork) != "front" ||
		got.ArtworkType != "image/jpeg" || got.Duration.Milliseconds() != 100 {
		t.Errorf("%+v", got)
	}
	large := tags(insert(block(4, comments), block(0x80|6, pictureBlock(3, "image/jpeg", make([]byte, maxArtwork+1)))))
	if large.Artwork != nil || large.ArtworkType != "" || large.Artist != "A" {
		t.Errorf("artwork of %d bytes was kept", len(large.Artwork))
	}
	for n := range comments { // cut anywhere, with lengths that lie
		var cut Tags
		cut.comments(comments[:n])
		cut.picture(pictureBlock(3, "image/jpeg", []byte("front"))[:min(n, 40)])
	}
	inComment := "METADATA_BLOCK_PICTURE=" + base64.StdEncoding.EncodeToString(pictureBlock(3, "image/png", []byte("p")))
	if got := tags(insert(block(0x80|4, commentBlock(inComment)))); string(got.Artwork) != "p" {
		t.Errorf("%+v", got)
	}
}

func TestTagsOfLossyFiles(t *testing.T) {
	pcm := make([]float32, 2*4800)
	for _, c := range [][]string{
		{"lame", "--quiet", "--tt", "T", "--ta", "A", "--tl", "L", "IN", "OUT"},
		{"oggenc", "-Q", "-t", "T", "-a", "A", "-l", "L", "-o", "OUT", "IN"},
		{"opusenc", "--quiet", "--title", "T", "--artist", "A", "--album", "L", "IN", "OUT"},
	} {
		t.Run(c[0], func(t *testing.T) {
			path := encodeWith(t, pcm, 2, Rate, c[0], c[1:]...)
			got := mustOpen(t, Options{Inputs: []string{path}}).Status().Tags
			if s := fmt.Sprint(got.Title, got.Artist, got.Album, got.Duration); s != "TAL100ms" {
				t.Errorf("%+v", got)
			}
		})
	}
}

// What the libraries would play wrongly is refused.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		rate, channels int
		want, tool     string
		args           []string
	}{
		{22050, 2, "MP3 at 22050 Hz", "lame", []string{"--quiet", "-b", "96", "IN", "OUT"}},
		{11025, 1, "MP3 at 11025 Hz", "lame", []string{"--quiet", "-b", "32", "IN", "OUT"}},
		{48000, 6, "6 channels of Ogg Vorbis", "oggenc", []string{"-Q", "-o", "OUT", "IN"}},
	} {
		t.Run(c.want, func(t *testing.T) {
			path := encodeWith(t, make([]float32, 9600*c.channels), c.channels, c.rate, c.tool, c.args...)
			if _, err := openTrack(path, nil); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

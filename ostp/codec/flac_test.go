package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/mewkiz/flac"

	"github.com/tutti-audio/tutti/ostp"
)

// signals returns what a lossless coder finds hard, on the grid of bits.
func signals(frames, channels, bits int) map[string][]float32 {
	full := float64(int(1) << (bits - 1))
	r := rand.New(rand.NewSource(11))
	all := map[string][]float32{"silence": make([]float32, frames*channels)}
	add := func(name string, f func(i, c int) float64) {
		pcm := make([]float32, frames*channels)
		for i := range frames {
			for c := range channels {
				v := math.Round(f(i, c) * full)
				pcm[i*channels+c] = float32(max(min(v, full-1), -full) / full)
			}
		}
		all[name] = pcm
	}
	tune := music(frames, channels, 3)
	add("music", func(i, c int) float64 { return float64(tune[i*channels+c]) })
	add("noise", func(int, int) float64 { return 2*r.Float64() - 1 })
	add("square", func(i, c int) float64 { return float64(1 - 2*((i/7+c)%2)) })
	add("constant", func(_, c int) float64 { return -0.25 * float64(c) })
	add("impulse", func(i, _ int) float64 { return float64((i % 100) / 99) })
	add("sine", func(i, c int) float64 { return 0.99 * math.Sin(float64(i)*0.05*float64(c+1)) })
	add("opposite", func(i, c int) float64 { return 0.99 * math.Sin(float64(i)*0.05) * float64(1-2*(c%2)) })
	add("alternating", func(i, _ int) float64 { return float64(1 - 2*(i%2)) })
	add("coarse", func(i, c int) float64 { return math.Round(100*float64(tune[i*channels+c])) / 128 })
	add("burst", func(i, _ int) float64 { return (2*r.Float64() - 1) * float64((i/60)%2) })
	return all
}

func TestFLACIsBitExact(t *testing.T) {
	for _, bits := range []int{16, 24} {
		for _, channels := range []int{1, 2, 3, 8} {
			for _, frames := range []int{16, 48, 120, 240, 441, 480, 960} {
				p := Params{Type: ostp.FLAC, Channels: channels, Frames: frames, Bits: bits}
				if flacWorst(p) > MaxPayload {
					continue
				}
				for name, pcm := range signals(2*frames, channels, bits) {
					out, size := transcode(t, p, pcm)
					for i := range pcm {
						if out[i] != pcm[i] {
							t.Fatalf("%s, %d bits, %d×%d: sample %d: %g became %g", name, bits, channels, frames, i, pcm[i], out[i])
						}
					}
					if size > 2*flacWorst(p) {
						t.Errorf("%s, %d bits, %d×%d: %d bytes", name, bits, channels, frames, size)
					}
				}
			}
		}
	}
}

// stream makes a FLAC file of payloads: a marker and STREAMINFO before them.
func stream(p Params, frames int, payloads [][]byte) []byte {
	info := make([]byte, 34)
	binary.BigEndian.PutUint16(info[0:], uint16(p.Frames))
	binary.BigEndian.PutUint16(info[2:], uint16(p.Frames))
	binary.BigEndian.PutUint64(info[10:], Rate<<44|uint64(p.Channels-1)<<41|uint64(p.Bits-1)<<36|uint64(frames))
	file := append([]byte("fLaC\x80\x00\x00\x22"), info...)
	return append(file, bytes.Join(payloads, nil)...)
}

func payloads(t testing.TB, p Params, pcm []float32) [][]byte {
	e, _ := mustPair(t, p)
	var all [][]byte
	for n := p.Frames * p.Channels; len(pcm) >= n; pcm = pcm[n:] {
		b, err := e.Append(nil, pcm[:n])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}

// What we write is FLAC: an independent decoder reads it.
func TestFLACReadByOthers(t *testing.T) {
	for _, p := range []Params{
		{Type: ostp.FLAC, Channels: 2, Frames: 480, Bits: 24}, {Type: ostp.FLAC, Channels: 1, Frames: 48, Bits: 16},
		{Type: ostp.FLAC, Channels: 6, Frames: 240, Bits: 16}, {Type: ostp.FLAC, Channels: 2, Frames: 120, Bits: 16},
	} {
		frames := 130 * p.Frames // frame numbers of two bytes
		for name, pcm := range signals(frames, p.Channels, p.Bits) {
			s, err := flac.New(bytes.NewReader(stream(p, frames, payloads(t, p, pcm))))
			if err != nil {
				t.Fatal(err)
			}
			full := float32(int(1) << (p.Bits - 1))
			at := 0
			for {
				f, err := s.ParseNext()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				for i := range f.Subframes[0].Samples {
					for _, sub := range f.Subframes {
						if want := int32(pcm[at] * full); sub.Samples[i] != want {
							t.Fatalf("%s: sample %d is %d, want %d", name, at, sub.Samples[i], want)
						}
						at++
					}
				}
			}
			if at != len(pcm) {
				t.Errorf("%s: %d samples, want %d", name, at, len(pcm))
			}
		}
	}
}

// tool runs a program of the system, or skips the test where it is missing.
func tool(t *testing.T, name string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed", name)
	}
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// encodeReference has the reference encoder make a file of fixed block size.
func encodeReference(t *testing.T, p Params, pcm []float32, options ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	raw, out := filepath.Join(dir, "raw"), filepath.Join(dir, "out.flac")
	q := newQuantizer(p.Bits, Params{NoDither: true})
	ints := make([]int32, len(pcm))
	q.quantize(ints, pcm)
	var data []byte
	for _, v := range ints {
		data = append(data, binary.LittleEndian.AppendUint32(nil, uint32(v))[:p.Bits/8]...)
	}
	if err := os.WriteFile(raw, data, 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-s", "--force-raw-format", "--endian=little", "--sign=signed", "--no-padding", "--no-seektable",
		fmt.Sprintf("--channels=%d", p.Channels), fmt.Sprintf("--bps=%d", p.Bits), "--sample-rate=48000",
		fmt.Sprintf("--blocksize=%d", p.Frames), "-o", out}, options...)
	tool(t, "flac", append(args, raw)...)
	file, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// audioFrames cuts a FLAC file into frames: each begins with a sync code and
// ends with the right check sum.
func audioFrames(t *testing.T, file []byte) [][]byte {
	at := 4
	for last := false; !last; {
		last = file[at]&0x80 != 0
		at += 4 + (int(file[at+1])<<16 | int(file[at+2])<<8 | int(file[at+3]))
	}
	var all [][]byte
	crc := newFLACCRC()
	for from, end := at, at+8; end <= len(file); end++ {
		atSync := end == len(file) || file[end] == 0xff && end+1 < len(file) && file[end+1] == 0xf8
		if atSync && crc.sum16(file[from:end]) == 0 {
			all = append(all, file[from:end])
			from = end
			end += 7
		}
	}
	return all
}

// We read what the reference encoder writes, with all it can do.
func TestFLACReadsOthers(t *testing.T) {
	for _, options := range [][]string{
		{"-0"}, {"-5"}, {"-8", "-e", "-p", "--lax"}, {"--lax", "-l", "32", "-r", "0,8"}, {"-m", "-l", "0"},
	} {
		for _, p := range []Params{
			{Type: ostp.FLAC, Channels: 2, Frames: 480, Bits: 16}, {Type: ostp.FLAC, Channels: 2, Frames: 960, Bits: 24},
			{Type: ostp.FLAC, Channels: 5, Frames: 192, Bits: 16},
		} {
			for name, pcm := range signals(10*p.Frames, p.Channels, p.Bits) {
				_, d := mustPair(t, p)
				out := make([]float32, p.Frames*p.Channels)
				frames := audioFrames(t, encodeReference(t, p, pcm, options...))
				if len(frames) != 10 {
					t.Fatalf("%s: %d frames in the file, want 10", name, len(frames))
				}
				for k, payload := range frames {
					if _, err := d.Decode(out, payload); err != nil {
						t.Fatalf("%v %s frame %d: %v", options, name, k, err)
					}
					for i, x := range out {
						if want := pcm[k*len(out)+i]; x != want {
							t.Fatalf("%v %s frame %d: sample %d is %g, want %g", options, name, k, i, x, want)
						}
					}
				}
			}
		}
	}
}

// Size against the reference encoder at its usual level and the same blocks.
func TestFLACSize(t *testing.T) {
	for _, frames := range []int{120, 240, 480, 960} {
		for _, bits := range []int{16, 24} {
			p := Params{Type: ostp.FLAC, Channels: 2, Frames: frames, Bits: bits, NoDither: true}
			pcm := music(Rate, 2, 6)
			_, size := transcode(t, p, pcm)
			reference := len(encodeReference(t, p, pcm, "-5")) - 86
			plain := len(pcm) * bits / 8
			t.Logf("%d frames, %d bits: %.1f %% of PCM, flac -5 %.1f %% (%+.2f %%)", frames, bits,
				100*float64(size)/float64(plain), 100*float64(reference)/float64(plain), 100*float64(size)/float64(reference)-100)
			if float64(size) > 1.03*float64(reference) {
				t.Errorf("%d frames, %d bits: %d bytes, the reference needs %d", frames, bits, size, reference)
			}
		}
	}
}

func TestFLACRefusesDamage(t *testing.T) {
	p := Params{Type: ostp.FLAC, Channels: 2, Frames: 240, Bits: 16}
	_, d := mustPair(t, p)
	payload := payloads(t, p, music(240, 2, 8))[0]
	out := make([]float32, 480)
	for bit := range 8 * len(payload) {
		payload[bit/8] ^= 1 << (bit % 8)
		if _, err := d.Decode(out, payload); err == nil {
			t.Errorf("flipped bit %d passed", bit)
		}
		payload[bit/8] ^= 1 << (bit % 8)
	}
	for n := range payload {
		if _, err := d.Decode(out, payload[:n]); err == nil {
			t.Errorf("%d of %d bytes passed", n, len(payload))
		}
	}
}

package source

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// WAVE format tags.
const (
	wavePCM        = 1
	waveFloat      = 3
	waveExtensible = 0xfffe
)

// newWAV opens a RIFF or RF64 WAVE file.
func newWAV(file *os.File) (*track, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if _, err := file.Seek(12, io.SeekStart); err != nil {
		return nil, err
	}
	var f rawFormat
	long := int64(0) // size of the data chunk in an RF64 file
	for at := int64(12); ; {
		id, size, err := chunkHeader(file, at)
		if err != nil {
			return nil, errors.New("the file ends before its audio: copy it again")
		}
		at += 8
		switch id {
		case "ds64":
			long, err = readDS64(file, at)
		case "fmt ":
			f, err = readFmt(file, at, size)
		case "data":
			if f.channels == 0 {
				return nil, errors.New("damaged WAV file: audio comes before its format")
			}
			return newWAVData(file, f, at, dataSize(size, long, info.Size()-at))
		}
		if err != nil {
			return nil, err
		}
		at += int64(size) + int64(size&1)
	}
}

// chunkHeader reads the name and size of the chunk at an offset.
func chunkHeader(file *os.File, at int64) (id string, size uint32, err error) {
	var b [8]byte
	if _, err := file.ReadAt(b[:], at); err != nil {
		return "", 0, err
	}
	return string(b[:4]), binary.LittleEndian.Uint32(b[4:]), nil
}

// dataSize returns how many bytes of audio there are. Writers that could not
// seek back leave a size of 0 or the largest: then it is the rest of the file.
func dataSize(size uint32, long, rest int64) int64 {
	n := int64(size)
	if size == math.MaxUint32 && long > 0 {
		n = long
	}
	if n == 0 || n > rest || size >= math.MaxUint32-64 && long == 0 {
		return rest
	}
	return n
}

// newWAVData makes a track of size bytes at an offset.
func newWAVData(file *os.File, f rawFormat, at, size int64) (*track, error) {
	if _, err := file.Seek(at, io.SeekStart); err != nil {
		return nil, err
	}
	frame := int64(f.frameBytes())
	d := &rawDecoder{r: io.LimitReader(file, size/frame*frame), fmt: f}
	return &track{decoder: d, rate: f.rate, channels: f.channels, frames: size / frame}, nil
}

// readDS64 returns the 64-bit size of the data chunk (EBU Tech 3306).
func readDS64(file *os.File, at int64) (int64, error) {
	var b [16]byte
	if _, err := file.ReadAt(b[:], at); err != nil {
		return 0, err
	}
	size := binary.LittleEndian.Uint64(b[8:])
	if size > math.MaxInt64/2 {
		return 0, errors.New("damaged RF64 file: absurd size")
	}
	return int64(size), nil
}

// readFmt reads a format chunk, also a WAVE_FORMAT_EXTENSIBLE one.
func readFmt(file *os.File, at int64, size uint32) (rawFormat, error) {
	var b [40]byte
	n := min(int(min(size, 1<<20)), len(b))
	if n < 16 {
		return rawFormat{}, errors.New("damaged WAV file: its format chunk is too short")
	}
	if _, err := file.ReadAt(b[:n], at); err != nil {
		return rawFormat{}, errors.New("the file ends within its format: copy it again")
	}
	le := binary.LittleEndian
	tag, bits := le.Uint16(b[0:]), le.Uint16(b[14:])
	if tag == waveExtensible && n >= 26 {
		tag = le.Uint16(b[24:]) // the sub-format begins with a plain tag
	}
	f := rawFormat{rate: int(min(le.Uint32(b[4:]), math.MaxInt32)), channels: int(le.Uint16(b[2:]))}
	block := int(le.Uint16(b[12:]))
	var ok bool
	if f.enc, ok = waveEncoding(tag, bits); !ok {
		return rawFormat{}, fmt.Errorf("WAV format %d with %d bits cannot be played: convert it to 16, 24 or 32-bit PCM or float, or to FLAC", tag, bits)
	}
	if f.channels == 0 || block != f.frameBytes() {
		return rawFormat{}, fmt.Errorf("damaged WAV file: %d channels of %d bits in blocks of %d bytes", f.channels, bits, block)
	}
	return f, nil
}

// waveEncoding returns the encoding of a tag and its bits per sample. Samples
// of odd sizes are padded at the bottom to whole bytes.
func waveEncoding(tag, bits uint16) (encoding, bool) {
	switch {
	case tag == wavePCM && bits >= 1 && bits <= 8:
		return u8, true
	case tag == wavePCM && bits <= 16:
		return s16, true
	case tag == wavePCM && bits <= 24:
		return s24, true
	case tag == wavePCM && bits <= 32:
		return s32, true
	case tag == waveFloat && bits == 32:
		return f32, true
	case tag == waveFloat && bits == 64:
		return f64, true
	}
	return 0, false
}

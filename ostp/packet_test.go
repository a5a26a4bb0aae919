package ostp

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestRefusals(t *testing.T) {
	good := mustAppend(t, &Packet{Payload: []byte("hello")})
	long := mustAppend(t, &Packet{Payload: make([]byte, MaxPayload)})
	for name, test := range map[string]struct {
		bytes []byte
		want  error
	}{
		"empty":      {nil, ErrTruncated},
		"header":     {good[:27], ErrTruncated},
		"cut":        {good[:len(good)-1], ErrCRC},
		"version":    {append([]byte{0x10}, good[1:]...), ErrForeign},
		"padding":    {append([]byte{0xB0}, good[1:]...), ErrForeign},
		"no ext":     {append([]byte{0x80}, good[1:]...), ErrForeign},
		"too long":   {append(long[:len(long):len(long)], 0), ErrTooLong},
		"csrc count": {append([]byte{0x9F}, good[1:]...), ErrTruncated},
	} {
		if err := ParsePacket(new(Packet), test.bytes); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	if _, err := AppendPacket(nil, &Packet{Payload: make([]byte, MaxPayload+1)}); !errors.Is(err, ErrTooLong) {
		t.Errorf("payload of %d bytes: %v, want %v", MaxPayload+1, err, ErrTooLong)
	}
}

func mustAppend(t testing.TB, p *Packet) []byte {
	t.Helper()
	b, err := AppendPacket(nil, p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestEveryFlippedBit: CRC-32 detects every single flipped bit.
func TestEveryFlippedBit(t *testing.T) {
	good := mustAppend(t, &Packet{StreamID: 7, MediaTimestamp: 99, Payload: []byte("some sound")})
	for i := range len(good) * 8 {
		bad := bytes.Clone(good)
		bad[i/8] ^= 1 << (i % 8)
		if ParsePacket(new(Packet), bad) == nil {
			t.Fatalf("bit %d flipped is accepted", i)
		}
	}
}

func TestTolerant(t *testing.T) {
	good := mustAppend(t, &Packet{Payload: []byte("hello")})
	n := len(good)
	swapped := append(bytes.Clone(good[:n-4]), good[n-1], good[n-2], good[n-3], good[n-4])
	payloadOnly := append(bytes.Clone(good[:n-4]), 0x36, 0x10, 0xA6, 0x86) // CRC-32 of "hello"
	for want, b := range map[Trailer][]byte{TrailerStandard: good, TrailerPacketBigEndian: swapped, TrailerPayloadBigEndian: payloadOnly} {
		if got, err := ParseTolerant(new(Packet), b); err != nil || got != want {
			t.Errorf("trailer %d: %d, %v", want, got, err)
		}
		if err := ParsePacket(new(Packet), b); (err == nil) != (want == TrailerStandard) {
			t.Errorf("trailer %d: strict parse gives %v", want, err)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	p := Packet{Payload: make([]byte, 240)}
	buf := make([]byte, 0, MaxPacket)
	read := Packet{}
	if n := testing.AllocsPerRun(100, func() {
		b, _ := AppendPacket(buf, &p)
		_ = ParsePacket(&read, b)
	}); n != 0 {
		t.Errorf("%v allocations per packet built and parsed, want 0", n)
	}
}

func FuzzPacket(f *testing.F) {
	f.Add(mustAppend(f, &Packet{Payload: []byte("hello")}))
	withMore := Packet{Surplus: make([]byte, 8), Payload: []byte{1}}
	withMore.CSRC = []uint32{1, 2}
	f.Add(mustAppend(f, &withMore))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var p Packet
		_, tolerantErr := ParseTolerant(new(Packet), b)
		if err := ParsePacket(&p, b); err != nil {
			return
		}
		if tolerantErr != nil {
			t.Fatalf("strict accepts what tolerant refuses: %v", tolerantErr)
		}
		if again := mustAppend(t, &p); !bytes.Equal(again, b) {
			t.Fatalf("append of parse\n%x, want\n%x", again, b)
		}
	})
}

func TestUnwrap(t *testing.T) {
	var u Unwrapper
	for _, step := range []struct {
		in   uint32
		want int64
	}{
		{0xFFFFFFF0, 0xFFFFFFF0},
		{0x10, 0x100000010},
		{0xFFFFFFFF, 0xFFFFFFFF}, // late
		{0x20, 0x100000020},
		{0x80000000, 0x180000000},
		{0xF0000000, 0x1F0000000},
		{0x00000000, 0x200000000},
	} {
		if got := u.Unwrap(step.in); got != step.want {
			t.Errorf("Unwrap(%#x) = %#x, want %#x", step.in, got, step.want)
		}
	}
}

func TestCheckChannel(t *testing.T) {
	for _, good := range []string{"a", "house/living-room", "Radio_1.fm", strings.Repeat("x", 64)} {
		if err := CheckChannel(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "-a", "a-", "a..b", "ä", "a b", strings.Repeat("x", 65), "a/"} {
		if CheckChannel(bad) == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func BenchmarkParsePacket(b *testing.B) {
	raw := mustAppend(b, &Packet{Payload: make([]byte, 960)})
	var p Packet
	b.ReportAllocs()
	for b.Loop() {
		_ = ParsePacket(&p, raw)
	}
}

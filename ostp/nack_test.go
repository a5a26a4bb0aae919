package ostp

import (
	"bytes"
	"testing"
)

func TestNACKRefusals(t *testing.T) {
	if _, err := AppendNACK(nil, nil); err == nil {
		t.Error("a NACK for nothing is written")
	}
	if _, err := AppendNACK(nil, make([]uint16, MaxNACK+1)); err == nil {
		t.Error("a NACK for too much is written")
	}
}

func FuzzNACK(f *testing.F) {
	f.Add([]byte{0, 1, 0xFF, 0xFF})
	f.Add(make([]byte, 2*MaxNACK))
	f.Add(make([]byte, 2*MaxNACK+2))
	f.Fuzz(func(t *testing.T, b []byte) {
		missing, err := ParseNACK(nil, b)
		if err != nil {
			return
		}
		if again, err := AppendNACK(nil, missing); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("append of parse: %x, %v; want %x", again, err, b)
		}
	})
}

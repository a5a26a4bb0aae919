package update

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

func keys() (ed25519.PublicKey, ed25519.PrivateKey) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	return key.Public().(ed25519.PublicKey), key
}

// sample makes an update of two parts.
func sample(t testing.TB, names ...string) []byte {
	t.Helper()
	_, key := keys()
	contents := map[string]string{"kernel.img": strings.Repeat("kernel ", 3000), "overlays/a.dtbo": "tree", Root: strings.Repeat("root", 50000)}
	if len(names) == 0 {
		names = []string{"kernel.img", "overlays/a.dtbo", Root}
	}
	m := Manifest{Board: "pi64", Version: "1.5", CommandLine: "quiet"}
	for _, name := range names {
		p, err := NewPart(name, strings.NewReader(contents[name]))
		if err != nil {
			t.Fatal(err)
		}
		m.Parts = append(m.Parts, p)
	}
	b, err := AppendHeader(nil, m, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b = append(b, contents[name]...)
	}
	return b
}

// read takes an update in as a speaker does.
func read(b []byte) (parts int, err error) {
	public, _ := keys()
	bundle, err := Open(bytes.NewReader(b), public)
	if err != nil {
		return 0, err
	}
	for {
		_, r, err := bundle.Next()
		if errors.Is(err, io.EOF) {
			return parts, nil
		}
		if err != nil {
			return parts, err
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			return parts, err
		}
		parts++
	}
}

func TestWhole(t *testing.T) {
	if n, err := read(sample(t)); n != 3 || err != nil {
		t.Errorf("%d parts, %v", n, err)
	}
}

// Every cut and every flipped bit is refused.
func TestRefuses(t *testing.T) {
	b := sample(t)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 300 {
		cut := rng.IntN(len(b))
		if i < 100 {
			cut = i * 5 // all through the header
		}
		if _, err := read(b[:cut]); !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrForeign) {
			t.Errorf("cut to %d bytes: %v", cut, err)
		}
		bad := bytes.Clone(b)
		bad[cut] ^= 1 << rng.IntN(8)
		if _, err := read(bad); err == nil {
			t.Errorf("byte %d changed: taken", cut)
		}
	}
	_, other, _ := ed25519.GenerateKey(nil)
	foreign, err := AppendHeader(nil, Manifest{Board: "pi64", Parts: []Part{{Name: Root, SHA256: strings.Repeat("0", 64)}}}, other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := read(foreign); !errors.Is(err, ErrForeign) {
		t.Errorf("another's signature: %v", err)
	}
}

func TestCheck(t *testing.T) {
	public, key := keys()
	b, err := Open(bytes.NewReader(sample(t)), public)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		board, version string
		want           error
	}{{"pi64", "1.4", nil}, {"pi64", "1.5", ErrOlder}, {"pi64", "1.10", ErrOlder}, {"generic-arm64", "1.0", ErrBoard}} {
		if err := b.Check(c.board, c.version); !errors.Is(err, c.want) {
			t.Errorf("on %s %s: %v, want %v", c.board, c.version, err, c.want)
		}
	}
	for _, name := range []string{"../../etc/passwd", "/x", "a//b", "", "a\\b"} {
		if _, err := AppendHeader(nil, Manifest{Parts: []Part{{Name: name, SHA256: strings.Repeat("0", 64)}}}, key); err == nil {
			t.Errorf("a part called %q was taken", name)
		}
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(sample(f))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = read(b) })
}

func TestVersions(t *testing.T) {
	for _, c := range []struct {
		a, b  string
		newer bool
	}{{"1.10", "1.9", true}, {"1.9", "1.10", false}, {"1", "1.0", false}, {"2026.11.23", "2026.11.22", true}, {"1.0.1", "1.0", true}, {"", "1", false}} {
		if got := Newer(c.a, c.b); got != c.newer {
			t.Errorf("Newer(%q, %q) = %v", c.a, c.b, got)
		}
	}
}

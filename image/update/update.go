// Package update is the file in which a new system travels to a speaker: signed by
// whoever builds images, and readable in one pass, so that it can be written to the
// card while it arrives.
//
//	magic       "TUTTI-UPDATE-1\n"
//	length      of the manifest, 32 bits, big-endian
//	manifest    JSON, see Manifest
//	signature   Ed25519 of all before it, 64 bytes
//	parts       one after the other, as the manifest says
//
// Nothing of a file is trusted before its signature, and no part before its hash:
// what was written must not be started until Next has returned io.EOF. The package is
// pure. A Bundle belongs to one goroutine.
package update

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
)

const (
	magic       = "TUTTI-UPDATE-1\n"
	maxManifest = 1 << 20
	maxParts    = 256
)

// Root is the name of the part that is the slot's root file system; all others are
// files of the slot's folder on the boot partition.
const Root = "root.squashfs"

// Errors; each says what to do.
var (
	ErrForeign   = errors.New("this is not an update for Tutti, or it is signed by somebody else: get it where the speaker's image came from")
	ErrTruncated = errors.New("the update ends too early: fetch it again")
	ErrDamaged   = errors.New("the update is damaged: fetch it again")
	ErrBoard     = errors.New("the update is for another board")
	ErrOlder     = errors.New("the update is not newer than what runs: nothing to do")
)

// Manifest says what an update holds.
type Manifest struct {
	Board       string `json:"board"`
	Version     string `json:"version"` // dotted numbers
	CommandLine string `json:"command_line"`
	Parts       []Part `json:"parts"`
}

// Part is one file.
type Part struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// NewPart describes a file's contents.
func NewPart(name string, r io.Reader) (Part, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return Part{Name: name, Size: n, SHA256: hex.EncodeToString(h.Sum(nil))}, err
}

// check refuses what no builder of ours writes.
func (m *Manifest) check() error {
	if len(m.Parts) == 0 || len(m.Parts) > maxParts {
		return fmt.Errorf("%w: %d parts", ErrDamaged, len(m.Parts))
	}
	for _, p := range m.Parts {
		for _, step := range strings.Split(p.Name, "/") {
			if step == "" || step == "." || step == ".." || strings.ContainsAny(step, "\\:\x00") {
				return fmt.Errorf("%w: a part is called %q", ErrDamaged, p.Name)
			}
		}
		if p.Size < 0 || len(p.SHA256) != 2*sha256.Size {
			return fmt.Errorf("%w: part %q", ErrDamaged, p.Name)
		}
	}
	return nil
}

// AppendHeader appends all that comes before the parts.
func AppendHeader(dst []byte, m Manifest, key ed25519.PrivateKey) ([]byte, error) {
	b, err := json.Marshal(m)
	if err != nil {
		return dst, err
	}
	head := append([]byte(magic), binary.BigEndian.AppendUint32(nil, uint32(len(b)))...)
	head = append(head, b...)
	return append(append(dst, head...), ed25519.Sign(key, head)...), m.check()
}

// Bundle is an update being read.
type Bundle struct {
	Manifest Manifest
	r        io.Reader
	next     int
	open     *part
}

// Open reads an update up to its parts and checks the signature.
func Open(r io.Reader, public ed25519.PublicKey) (*Bundle, error) {
	head := make([]byte, len(magic)+4)
	if _, err := io.ReadFull(r, head); err != nil || !bytes.HasPrefix(head, []byte(magic)) {
		return nil, ErrForeign
	}
	n := binary.BigEndian.Uint32(head[len(magic):])
	if n > maxManifest {
		return nil, ErrForeign
	}
	rest := make([]byte, int(n)+ed25519.SignatureSize)
	if _, err := io.ReadFull(r, rest); err != nil {
		return nil, ErrTruncated
	}
	if !ed25519.Verify(public, append(head, rest[:n]...), rest[n:]) {
		return nil, ErrForeign
	}
	b := &Bundle{r: r}
	if err := json.Unmarshal(rest[:n], &b.Manifest); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return b, b.Manifest.check()
}

// Check refuses an update that is not for this board or not newer than its version.
func (b *Bundle) Check(board, version string) error {
	if b.Manifest.Board != board {
		return fmt.Errorf("%w: it is for %s, this is %s", ErrBoard, b.Manifest.Board, board)
	}
	if !Newer(b.Manifest.Version, version) {
		return fmt.Errorf("%w (it is %s, this is %s)", ErrOlder, b.Manifest.Version, version)
	}
	return nil
}

// Next returns the next part and its contents, which must be read to their end
// before Next is called again: only there it is certain that they are whole. After
// the last part it returns io.EOF.
func (b *Bundle) Next() (Part, io.Reader, error) {
	if b.open != nil && !b.open.whole {
		return Part{}, nil, fmt.Errorf("%w: %s was not read to its end", ErrDamaged, b.open.Name)
	}
	if b.next == len(b.Manifest.Parts) {
		return Part{}, nil, io.EOF
	}
	p := b.Manifest.Parts[b.next]
	b.next++
	b.open = &part{Part: p, r: io.LimitReader(b.r, p.Size), left: p.Size, hash: sha256.New()}
	return p, b.open, nil
}

// part is the contents of one.
type part struct {
	Part
	r     io.Reader
	left  int64
	hash  hash.Hash
	whole bool
}

// Read implements io.Reader; it ends with io.EOF only if the hash is right.
func (p *part) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.hash.Write(b[:n])
	p.left -= int64(n)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	switch {
	case p.left > 0:
		return n, fmt.Errorf("%w (in %s)", ErrTruncated, p.Name)
	case hex.EncodeToString(p.hash.Sum(nil)) != p.SHA256:
		return n, fmt.Errorf("%w (%s)", ErrDamaged, p.Name)
	}
	p.whole = true
	return n, io.EOF
}

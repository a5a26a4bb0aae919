package imagetest

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"strings"

	"github.com/tutti-audio/tutti/image/update"
)

// headSize is what comes before an update's manifest: the magic line and a length.
const headSize = 15 + 4

// Key reads the key that signs updates.
func Key(file string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	seed, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, errors.New(file + " holds no key")
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// Remake changes an update's manifest and signs it anew.
func Remake(bundle []byte, key ed25519.PrivateKey, change func(*update.Manifest)) ([]byte, error) {
	if len(bundle) < headSize {
		return nil, update.ErrTruncated
	}
	n := int(binary.BigEndian.Uint32(bundle[headSize-4:]))
	parts := headSize + n + ed25519.SignatureSize
	if len(bundle) < parts {
		return nil, update.ErrTruncated
	}
	var m update.Manifest
	if err := json.Unmarshal(bundle[headSize:headSize+n], &m); err != nil {
		return nil, err
	}
	change(&m)
	head, err := update.AppendHeader(nil, m, key)
	return append(head, bundle[parts:]...), err
}

// Flip changes one bit of an update, three quarters into it.
func Flip(bundle []byte) []byte {
	damaged := bytes.Clone(bundle)
	damaged[len(damaged)/4*3] ^= 0x10
	return damaged
}

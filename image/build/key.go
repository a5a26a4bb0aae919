package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// loadKey reads the key that signs updates, and makes it the first time.
func loadKey(name string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		_, key, err := ed25519.GenerateKey(nil)
		if err != nil {
			return nil, err
		}
		fmt.Printf("new key for updates: %s; keep it, speakers take no other's\n", name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return nil, err
		}
		return key, os.WriteFile(name, []byte(base64.StdEncoding.EncodeToString(key.Seed())+"\n"), 0o600)
	}
	if err != nil {
		return nil, err
	}
	seed, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("%s is no key for updates: remove it and a new one is made, which speakers with the old one do not take", name)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

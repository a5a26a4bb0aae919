package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

const stateFile = "state.json"

// LoadState reads the state kept in dir. A missing file is an empty state; a
// broken one is set aside with its reason, and the speaker starts afresh.
func LoadState(dir string) (s State, err error) {
	path := filepath.Join(dir, stateFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("cannot read what was remembered: %w", err)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		aside := path + ".broken"
		_ = os.Rename(path, aside)
		return State{}, fmt.Errorf("what was remembered is damaged and now lies in %s: %w", aside, err)
	}
	return s, nil
}

// SaveState replaces the state in dir: after a power cut either the old or the new
// one is there.
func SaveState(dir string, s State) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot remember: %w", err)
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(filepath.Join(dir, stateFile), append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("cannot remember: %w", err)
	}
	return nil
}

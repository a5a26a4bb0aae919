package main

import (
	"testing"
	"time"
)

// How long a trial may take can come with the update.
func TestAllowed(t *testing.T) {
	for line, want := range map[string]time.Duration{
		"quiet": patience, "quiet tutti.patience=90s panic=10": 90 * time.Second, "tutti.patience=15m": 15 * time.Minute,
		"tutti.patience=": patience, "tutti.patience=3s": patience, // never shorter than what is good
	} {
		if got := allowed(line); got != want {
			t.Errorf("%q: %v, want %v", line, got, want)
		}
	}
}

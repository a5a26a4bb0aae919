package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"

	"github.com/tutti-audio/tutti/internal/measure"
)

// loadRecording reads the left channel of what a virtual card recorded, and the
// instants beside it.
func loadRecording(path string) (*measure.Recording, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	const header, frame = 44, 6
	if len(b) < header || string(b[:4]) != "RIFF" {
		return nil, fmt.Errorf("%s is no recording of ours", path)
	}
	b = b[header:]
	r := &measure.Recording{Samples: make([]float32, len(b)/frame)}
	for i := range r.Samples {
		at := b[i*frame:]
		v := int32(at[0])<<8 | int32(at[1])<<16 | int32(at[2])<<24
		r.Samples[i] = float32(v) / (1 << 31)
	}
	f, err := os.Open(path + ".instants")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var i measure.Instant
		if _, err := fmt.Sscan(s.Text(), &i.Frame, &i.Nanos); err != nil {
			return nil, fmt.Errorf("%s.instants: %w", path, err)
		}
		r.Instants = append(r.Instants, i)
	}
	if len(r.Instants) < 2 {
		return nil, errors.New(path + " is too short")
	}
	return r, nil
}

// firstSound returns the CLOCK_MONOTONIC instant of the first frame above -60 dBFS.
func firstSound(r *measure.Recording) (nanos int64, ok bool) {
	for i, s := range r.Samples {
		if s < 0.001 && s > -0.001 {
			continue
		}
		for n := 1; n < len(r.Instants); n++ {
			a, b := r.Instants[n-1], r.Instants[n]
			if i < b.Frame {
				return a.Nanos + int64(i-a.Frame)*(b.Nanos-a.Nanos)/int64(b.Frame-a.Frame), true
			}
		}
	}
	return 0, false
}

package ladder

import (
	"testing"
	"time"
)

func TestLadder(t *testing.T) {
	l := New(320_000)
	now := time.Unix(100, 0)
	say := func(loss float64, jitter time.Duration, want int) {
		t.Helper()
		now = now.Add(time.Second)
		l.Report(loss, jitter, now)
		if l.Bitrate() != want {
			t.Fatalf("after %.1f %% and %v: %d b/s, want %d", 100*loss, jitter, l.Bitrate(), want)
		}
	}
	say(0.06, 0, 192_000) // at once
	say(0.06, 0, 192_000) // it is given time
	say(0.06, 0, 128_000)
	say(0.02, 0, 128_000)
	say(0.02, 0, 128_000)
	say(0.02, 0, 64_000) // three in a row
	for range 10 {
		say(0.001, time.Millisecond, 64_000)
	}
	say(0.001, time.Millisecond, 128_000) // ten seconds well
	for range 30 {
		say(0.001, 30*time.Millisecond, 128_000) // too much jitter to go up
	}
	for range 25 {
		say(0.007, 0, 128_000) // neither good nor poor
	}
	for range 12 {
		now = now.Add(time.Second)
		l.Report(0.5, 0, now)
	}
	if l.Bitrate() != 32_000 {
		t.Errorf("%d b/s at the bottom", l.Bitrate())
	}
}

// What was asked for is never exceeded.
func TestTop(t *testing.T) {
	l := New(100_000)
	now := time.Unix(100, 0)
	for range 60 {
		now = now.Add(time.Second)
		l.Report(0, 0, now)
	}
	if l.Bitrate() != 64_000 {
		t.Errorf("%d b/s", l.Bitrate())
	}
}

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/internal/measure"
	"github.com/tutti-audio/tutti/internal/netlab"
)

// stage is a house for one group of faults, and what was noted of it.
type stage struct {
	*testing.T
	*house
	source *machine
	rooms  []*room
}

// newStage makes a house with a source's host and a host for each room. Its logs
// are shown when the test fails.
func newStage(t *testing.T, rooms []*room, options ...netlab.Option) *stage {
	t.Helper()
	if err := netlab.Available(); err != nil {
		t.Skip(err)
	}
	h, err := newHouse(os.Getenv(envBinary), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{T: t, house: h, rooms: rooms}
	t.Cleanup(s.end)
	s.source = s.host("source", options...)
	for _, r := range rooms {
		r.machine = s.host(r.name, options...)
	}
	return s
}

func (s *stage) end() {
	if err := s.close(); err != nil {
		s.Error(err)
	}
	if !s.Failed() {
		return
	}
	logs, _ := filepath.Glob(filepath.Join(s.dir, "*.log"))
	for _, path := range logs {
		b, _ := os.ReadFile(path)
		s.Logf("%s:\n%s", filepath.Base(path), b)
	}
}

// host adds a host.
func (s *stage) host(name string, options ...netlab.Option) *machine {
	s.Helper()
	m, err := s.add(name, options...)
	if err != nil {
		s.Fatal(err)
	}
	return m
}

// must ends the test on an error.
func (s *stage) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// send starts the source.
func (s *stage) send(args ...string) {
	s.Helper()
	s.must(s.source.source(s.Context(), args...))
}

// play starts each room's speaker on its virtual card.
func (s *stage) play(args ...string) {
	s.Helper()
	for i, r := range s.rooms {
		s.must(r.speaker(s.Context(), r.card(i+1), append([]string{fmt.Sprintf("--host-skew-ppm=%g", r.hostPPM)}, args...)...))
	}
}

// playing waits until all of them play.
func (s *stage) playing(speakers ...*machine) {
	s.Helper()
	s.must(waitPlaying(s.Context(), patience, speakers...))
}

func machines(rooms []*room) []*machine {
	all := make([]*machine, len(rooms))
	for i, r := range rooms {
		all[i] = r.machine
	}
	return all
}

// until waits until a speaker's status is as wanted and returns how long it took.
func (s *stage) until(m *machine, what string, wanted func(control.Status) bool) time.Duration {
	s.Helper()
	began := time.Now()
	var last control.Status
	for time.Since(began) < patience {
		st, err := m.status()
		if err == nil && wanted(st) {
			return time.Since(began)
		}
		last = st
		time.Sleep(25 * time.Millisecond)
	}
	s.Fatalf("%s: not %s after %v: state %q, %s, %s, %+v", m.name, what, patience, last.State, last.Reason, last.Problem, last.Packets)
	return 0
}

// now returns a speaker's status.
func (s *stage) now(m *machine) control.Status {
	s.Helper()
	for range 20 {
		if st, err := m.status(); err == nil {
			return st
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.Fatalf("%s does not answer", m.name)
	return control.Status{}
}

// says waits until a line with all the words is in a process's log.
func (s *stage) says(m *machine, words ...string) {
	s.Helper()
	path := filepath.Join(s.dir, m.name+".log")
	for began := time.Now(); time.Since(began) < patience; time.Sleep(50 * time.Millisecond) {
		b, _ := os.ReadFile(path)
		for line := range strings.Lines(string(b)) {
			if hasAll(line, words) {
				return
			}
		}
	}
	s.Errorf("the log of %s has no line with %q", m.name, words)
}

func hasAll(line string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(line, w) {
			return false
		}
	}
	return true
}

// watched is a span and what the speakers said at its ends.
type watched struct {
	span
	before, after []control.Status // of each room
}

// dry is how often a room's card ran dry meanwhile: its process did not get a
// processor in time.
func (w *watched) dry(room int) int {
	return int(w.after[room].Output.Xruns - w.before[room].Output.Xruns)
}

// undisturbed runs act until no card ran dry meanwhile, at most three times. On a
// machine that is too busy even then, what follows makes allowance for that.
func (s *stage) undisturbed(act func()) (w watched) {
	s.Helper()
	for range 3 {
		w = watched{}
		for _, r := range s.rooms {
			w.before = append(w.before, s.now(r.machine))
		}
		w.from = monotonic()
		act()
		w.to = monotonic()
		dry := 0
		for i, r := range s.rooms {
			w.after = append(w.after, s.now(r.machine))
			dry += w.dry(i)
		}
		if dry == 0 {
			return w
		}
		s.Logf("cards ran dry %d times for want of a processor; load %s", dry, load())
	}
	return w
}

// unbroken checks that the recording of a tone has no gap but where its card ran
// dry.
func (s *stage) unbroken(room int, w watched, what string) {
	s.Helper()
	r := s.rooms[room]
	recording, err := loadRecording(r.recording())
	s.must(err)
	cut := recording.Samples[frameAt(recording, w.from):frameAt(recording, w.to)]
	if len(cut) < 48000 {
		s.Fatalf("%s: only %d frames were recorded", what, len(cut))
	}
	const perDry = 3 // where the sound ends, where it comes back, and where that is joined
	if gaps := measure.Gaps(cut, 1000.0/48000, 0.002); gaps > perDry*w.dry(room) || peak(cut) < 0.4 {
		s.Errorf("%s: %d gaps in %s's recording of %.1f s, level %.2f; its card ran dry %d times; load %s",
			what, gaps, r.name, float64(len(cut))/48000, peak(cut), w.dry(room), load())
	}
}

func peak(pcm []float32) (most float32) {
	for _, x := range pcm {
		most = max(most, x)
	}
	return most
}

// aligned returns the alignment of two rooms' recordings in the span.
func (s *stage) aligned(a, b *room, during span, step time.Duration) []measure.Offset {
	s.Helper()
	all, err := alignedIn(a, b, during, step)
	s.must(err)
	return all
}

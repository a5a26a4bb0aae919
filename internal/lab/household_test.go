package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/agent/control"
)

// put changes a setting of a speaker.
func (s *stage) put(m *machine, setting, body string) {
	s.Helper()
	q, err := http.NewRequest(http.MethodPut, "http://"+m.address+"/api/v1/"+setting, strings.NewReader(body))
	s.must(err)
	q.Header.Set("Content-Type", "application/json")
	r, err := m.client.Do(q)
	s.must(err)
	r.Body.Close()
	if r.StatusCode/100 != 2 {
		s.Fatalf("%s: %s: %s", m.name, setting, r.Status)
	}
}

// Two speakers of one name are told apart, by themselves and by others.
func TestTwoOfOneName(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	first, second := s.host("Hall"), s.host("other")
	s.must(first.speaker(s.Context(), "null"))
	s.until(first, "there", func(control.Status) bool { return true })
	s.must(second.speaker(s.Context(), "null", "--name", "Hall"))
	s.send("--channel", "house", "tone:440:-20")
	s.playing(first, second)
	for _, m := range []*machine{first, second} {
		var peers []control.Peer
		for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
			peers = nil
			if err := m.get("/api/v1/speakers", &peers); err == nil && len(peers) == 2 && peers[0].Name != peers[1].Name {
				break
			}
			if time.Since(began) > patience {
				t.Fatalf("%s finds %+v", m.name, peers)
			}
		}
		if peers[0].ID == peers[1].ID {
			t.Errorf("two speakers have one ID: %+v", peers)
		}
	}
	if a, b := s.now(first).Name, s.now(second).Name; a == b {
		t.Errorf("both call themselves %q", a)
	}
	renamed := second // whichever asked later
	if s.now(first).Name != "Hall" {
		renamed = first
	}
	s.says(renamed, "Hall (2)")
}

// Of two sources of one channel all speakers choose the same, and when that ends,
// the other; no packet of the one is played as the other's.
func TestTwoSourcesOfOneChannel(t *testing.T) {
	t.Parallel()
	s := newStage(t, []*room{{name: "Hall"}, {name: "Porch", cardPPM: 70}})
	hall, porch := s.rooms[0], s.rooms[1]
	rival := s.host("rival")
	at := func(m *machine) func(control.Status) bool {
		return func(st control.Status) bool {
			return st.State == "playing" && st.Timing.SinceAlignedS > 0.5 && st.Stream.Address == m.address
		}
	}
	s.send("--channel", "house", "--latency", "300ms", "tone:1000:-6")
	s.must(hall.speaker(s.Context(), hall.card(1)))
	s.playing(hall.machine)
	s.must(rival.source(s.Context(), "--channel", "house", "--latency", "300ms", "tone:500:-6"))
	s.must(porch.speaker(s.Context(), porch.card(2)))
	for _, r := range s.rooms {
		s.until(r.machine, "playing the elder source", at(s.source))
	}
	s.until(porch.machine, "counting the other's packets", func(st control.Status) bool { return st.Packets.OtherStream > 0 })
	w := s.undisturbed(func() { time.Sleep(3 * time.Second) })
	began := time.Now()
	s.source.stop()
	time.Sleep(500 * time.Millisecond) // what is shown may be a tenth of a second old
	for _, r := range s.rooms {
		s.until(r.machine, "playing the other source", at(rival))
	}
	t.Logf("the source ended: the other played within %v", time.Since(began).Round(10*time.Millisecond))
	s.send("--channel", "house", "--latency", "300ms", "tone:1000:-6")
	time.Sleep(2 * time.Second)
	for _, r := range s.rooms {
		if st := s.now(r.machine); st.Stream == nil || st.Stream.Address != rival.address {
			t.Errorf("%s left a source that plays for one that came later: %q, %+v", r.name, st.State, st.Stream)
		}
	}
	began = time.Now()
	s.must(rival.signal(syscall.SIGKILL))
	time.Sleep(500 * time.Millisecond)
	for _, r := range s.rooms {
		s.until(r.machine, "playing the first again", at(s.source))
	}
	t.Logf("the source was killed: the other played within %v", time.Since(began).Round(10*time.Millisecond))
	for i, r := range s.rooms {
		r.stop()
		s.unbroken(i, w, "two sources")
	}
}

// A disk that is full costs what should be remembered, not the music; the status
// says so until there is room again.
func TestStateDiskFull(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	hall := s.host("Hall")
	state := filepath.Join(s.dir, "small")
	s.must(os.Mkdir(state, 0o755))
	s.must(unix.Mount("tmpfs", state, "tmpfs", 0, "size=16k"))
	t.Cleanup(func() { _ = unix.Unmount(state, unix.MNT_DETACH) })
	s.must(hall.start(s.Context(), "run", "--name", "Hall", "--output", "null", "--state-dir", state, "--volume", "100"))
	s.send("--channel", "house", "--latency", "300ms", "tone:1000:-6")
	s.playing(hall)
	s.put(hall, "volume", `{"percent": 60}`)
	filler := filepath.Join(state, "filler")
	if err := os.WriteFile(filler, make([]byte, 64<<10), 0o644); err == nil {
		t.Fatal("the disk does not fill")
	}
	before := s.now(hall)
	s.put(hall, "volume", `{"percent": 30}`)
	after := s.now(hall)
	if after.Volume != 30 || !strings.Contains(after.Problem, "cannot remember") || !strings.Contains(after.Problem, "no space") {
		t.Errorf("volume %d, problem %q", after.Volume, after.Problem)
	}
	s.says(hall, "settings will be lost", "no space")
	time.Sleep(time.Second)
	after = s.now(hall)
	if after.State != "playing" || after.Timing.Jumps != before.Timing.Jumps || after.Packets.Received <= before.Packets.Received {
		t.Errorf("a full disk disturbed the music: %+v", after)
	}
	s.must(os.Remove(filler))
	s.put(hall, "volume", `{"percent": 40}`)
	if st := s.now(hall); st.Problem != "" {
		t.Errorf("there is room again, but the problem is %q", st.Problem)
	}
	hall.stop()
	s.must(hall.start(s.Context(), "run", "--name", "Hall", "--output", "null", "--state-dir", state, "--volume", "100"))
	s.playing(hall)
	if st := s.now(hall); st.Volume != 40 {
		t.Errorf("volume %d after a restart, want 40", st.Volume)
	}
}

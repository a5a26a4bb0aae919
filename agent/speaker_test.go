package agent

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/agent/config"
)

// speaker makes one that plays into nothing, on loopback.
func speaker(t *testing.T, dir, name string) *Speaker {
	t.Helper()
	c := config.Default()
	c.Output, c.Interface, c.StateDir, c.Name, c.Channel = "null", "lo", dir, name, "nothing-plays-this"
	s, err := New(c, "test", 1, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// until waits for something; only a hang makes it fail.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestSettingsSurvive(t *testing.T) {
	dir := t.TempDir()
	s := speaker(t, dir, "Kitchen")
	id := s.Status().ID
	for what, err := range map[string]error{
		"volume": s.SetVolume(0), "mute": s.SetMuted(true), "trim": s.SetTrim(-12345 * time.Microsecond), "map": s.SetChannelMap("left"),
		"name": s.SetName("Bath"), "channel": s.Join("jazz"),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, err := range map[string]error{
		"volume": s.SetVolume(101), "trim": s.SetTrim(3 * time.Second), "map": s.SetChannelMap("both"), "no name": s.SetName(""),
		"a long name": s.SetName(strings.Repeat("x", 64)), "a name that steers terminals": s.SetName("a\x1b[2J"), "channel": s.Join("a b"),
	} {
		if err == nil {
			t.Errorf("%s is not refused", what)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = speaker(t, dir, "Kitchen") // what was set later wins over the configuration
	defer s.Close()
	st := s.Status()
	if st.ID != id || st.Volume != 0 || !st.Muted || st.TrimMS != -12.3 || st.Map != "left" || st.Name != "Bath" || st.Channel != "jazz" {
		t.Errorf("after a restart: %+v", st)
	}
}

// TestNoRoomForState: where nothing can be kept, the speaker says so and works.
func TestNoRoomForState(t *testing.T) {
	s := speaker(t, "/dev/full/state", "Full")
	defer s.Close()
	until(t, "the output is open", func() bool { return s.Status().Output.Open })
	if err := s.SetVolume(7); err != nil {
		t.Errorf("the volume is not set because it cannot be kept: %v", err)
	}
	if st := s.Status(); st.Volume != 7 || !strings.Contains(st.Problem, "cannot remember") {
		t.Errorf("volume %d, problem %q", st.Volume, st.Problem)
	}
}

// TestTwoOfOneName: both work, are told apart, and a new name frees the old one.
func TestTwoOfOneName(t *testing.T) {
	dir := t.TempDir()
	first := speaker(t, filepath.Join(dir, "1"), "Hall of the test")
	defer first.Close()
	if first.node == nil {
		t.Skip("no discovery on lo here")
	}
	names := func(s *Speaker) (all []string) {
		for _, p := range s.Speakers() {
			if strings.HasSuffix(p.Room, "of the test") {
				all = append(all, p.Name)
			}
		}
		return all
	}
	until(t, "the first sees itself", func() bool { return len(names(first)) == 1 })
	second := speaker(t, filepath.Join(dir, "2"), "Hall of the test")
	defer second.Close()
	until(t, "the second is told apart", func() bool { return second.Status().Name == "Hall of the test (2)" })
	until(t, "each sees both", func() bool {
		return strings.Join(names(first), ",") == "Hall of the test,Hall of the test (2)" && len(names(second)) == 2
	})
	if err := second.SetName("Loft of the test"); err != nil {
		t.Fatal(err)
	}
	until(t, "the new name is seen, the old one gone", func() bool {
		return strings.Join(names(first), ",") == "Hall of the test,Loft of the test" && second.Status().Name == "Loft of the test"
	})
}

package agent

import (
	"context"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/agent/config"
	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/agent/session/lan"
	"github.com/tutti-audio/tutti/agent/source"
	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/codec"
)

// house is a source and a speaker on loopback.
type house struct {
	*Speaker
	sending *Sending
	clock   *hostclock.Clock // the source's
}

func newHouse(t *testing.T) *house {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	in, err := source.Open(context.Background(), source.Options{Inputs: []string{"tone:1000:-6"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close() })
	h := &house{clock: hostclock.New(0)}
	h.sending, err = Send(SendConfig{
		SenderConfig: lan.SenderConfig{
			Channel: "step-" + strconv.Itoa(os.Getpid()), Name: "test", Codec: codec.Params{Type: ostp.PCM16, Frames: 240},
			Latency: 400 * time.Millisecond, Interface: "lo", Clock: h.clock, Log: log,
		},
		Input: in, Listen: "127.0.0.1:0", Version: "test",
	})
	if err != nil {
		t.Skipf("no multicast on loopback: %v", err)
	}
	t.Cleanup(func() { _ = h.sending.Close() })
	c := config.Default()
	c.Name, c.Source, c.Interface, c.StateDir = "Hall", h.sending.Address(), "lo", filepath.Join(t.TempDir(), "state")
	c.Output = "virtual:ppm=60,jitter=10us,granularity=8"
	if h.Speaker, err = New(c, "test", 8400, log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// settled waits until the speaker has been aligned for a while.
func (h *house) settled(t *testing.T) control.Status {
	t.Helper()
	for deadline := time.Now().Add(40 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		s := h.Status()
		if s.State == "playing" && s.Timing.Reported && s.Timing.SinceAlignedS > 1.5 {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("does not play: %+v", s)
		}
	}
}

// difference is house time less this host's, by the speaker's reckoning, in µs. It
// is constant, since both hosts are one.
func difference(s control.Status, zero int64) float64 {
	return float64(s.Timing.PresentedHouse-s.Timing.PresentedLocal-zero) / 1e3
}

// A wall clock that is stepped by a day, on either host and either way, is not
// heard: nothing is lost or made up, and house time does not move.
func TestWallClockStep(t *testing.T) {
	h := newHouse(t)
	before := h.settled(t)
	zero := before.Timing.PresentedHouse - before.Timing.PresentedLocal
	const day = 24 * time.Hour
	for _, step := range []struct {
		name  string
		clock *hostclock.Clock
		by    time.Duration
	}{
		{"the speaker's wall clock goes on by a day", h.Clock(), day},
		{"the source's goes on by a day", h.clock, day},
		{"the speaker's goes back by two days", h.Clock(), -2 * day},
		{"the source's goes back by two days", h.clock, -2 * day},
	} {
		step.clock.StepWall(step.by)
		worst := 0.0
		for range 30 {
			time.Sleep(50 * time.Millisecond)
			if s := h.Status(); s.Timing.Reported {
				worst = max(worst, math.Abs(difference(s, zero)))
			}
		}
		after := h.Status()
		dry := after.Output.Xruns - before.Output.Xruns
		t.Logf("%s: house time moved by %.1f µs at most; offset %.1f ± %.1f µs, ran dry %d times", step.name, worst, after.Timing.OffsetUS, after.Timing.BoundUS, dry)
		if worst > 1000 {
			t.Errorf("%s: house time moved by %.1f µs", step.name, worst)
		}
		if after.State != "playing" || dry == 0 && (after.Packets.Concealed != before.Packets.Concealed || after.Timing.Jumps != before.Timing.Jumps) {
			t.Errorf("%s was heard: %+v, %+v", step.name, after.Packets, after.Timing)
		}
		before = after
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/internal/measure"
	"github.com/tutti-audio/tutti/internal/pulsetest"
)

// listen records the sink's left channel for a while.
func listen(t *testing.T, length time.Duration) []float32 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), length+500*time.Millisecond)
	defer cancel()
	cmd := exec.CommandContext(ctx, "parec", "--raw", "--format=float32le", "--rate=48000", "--channels=2", "--device=room.monitor", "--latency-msec=50")
	var raw bytes.Buffer
	cmd.Stdout = &raw
	_ = cmd.Run() // ends by the context
	left := make([]float32, raw.Len()/8)
	for i := range left {
		left[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw.Bytes()[i*8:]))
	}
	return left
}

// A sound server that is not there yet, dies and comes back: the speaker says so
// and plays as soon as it can, without a gap while the servo steers.
func TestSoundServer(t *testing.T) {
	p := pulsetest.New(t, "sink_name=room rate=48000 channels=2 format=float32le")
	s := newStage(t, nil)
	hall := s.host("Hall")
	s.must(hall.speaker(s.Context(), "pulse:room", "--host-skew-ppm=90"))
	s.send("--channel", "house", "--codec", "pcm24", "--latency", "400ms", "tone:1000:-6")
	missing := func(st control.Status) bool {
		return st.State == "no-output" && strings.Contains(st.Problem, "PULSE_SERVER") && !st.Output.Open
	}
	plays := func(st control.Status) bool {
		return st.State == "playing" && st.Output.Open && st.Timing.Reported && st.Timing.SinceAlignedS > 0.5
	}
	s.until(hall, "missing its output", missing)
	for n := range 2 {
		p.Start(t)
		took := s.until(hall, "playing", plays)
		var heard []float32
		gaps := -1
		for range 3 { // until no card ran dry for want of a processor
			before := s.now(hall)
			heard = listen(t, 3*time.Second)
			gaps = measure.Gaps(heard[len(heard)/4:], 1000.0/48000, 0.002)
			after := s.now(hall)
			t.Logf("start %d: playing %v after the server's start; %d gaps in %d frames, %d xruns, offset %.0f ± %.0f µs, card %.1f ppm",
				n+1, took.Round(10*time.Millisecond), gaps, len(heard), after.Output.Xruns-before.Output.Xruns, after.Timing.OffsetUS, after.Timing.BoundUS, after.Timing.CardPPM)
			if gaps == 0 || after.Output.Xruns == before.Output.Xruns {
				break
			}
		}
		if len(heard) < 48000 || peak(heard) < 0.4 || gaps != 0 {
			t.Errorf("start %d: %d frames, level %.2f, %d gaps; load %s", n+1, len(heard), peak(heard), gaps, load())
		}
		if n == 0 {
			p.Stop()
			s.until(hall, "missing its output again", missing)
		}
	}
	if st := s.now(hall); st.Output.Opened < 2 {
		t.Errorf("the output was opened %d times", st.Output.Opened)
	}
	s.says(hall, "cannot open the output", "PULSE_SERVER")
	s.says(hall, "output lost")
}

package main

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/internal/measure"
)

// alignedFrom returns how long after an instant two rooms are aligned for good:
// from the first window of which all later ones are within a millisecond.
func (s *stage) alignedFrom(a, b *room, from, to int64) (after time.Duration, then []measure.Offset, ok bool) {
	s.Helper()
	all := s.aligned(a, b, span{from, to}, 50*time.Millisecond)
	bad := len(all)
	for bad > 0 && all[bad-1].Late.Abs() < time.Millisecond {
		bad--
	}
	if bad == len(all) {
		return 0, nil, false
	}
	const half = 341 * time.Millisecond // of the window in which an offset is measured
	return time.Duration(all[bad].Nanos-from) - half, all[bad:], true
}

// A speaker that stood still for three seconds is aligned again within a second,
// and so are all when the source was killed and comes back as another stream.
func TestRestarts(t *testing.T) {
	t.Parallel()
	s := newStage(t, []*room{{name: "Hall", cardPPM: 80, hostPPM: 60}, {name: "Porch", cardPPM: -120, hostPPM: -40}})
	hall, porch := s.rooms[0], s.rooms[1]
	settled := func(st control.Status) bool { return st.State == "playing" && st.Timing.SinceAlignedS > 1.5 }
	s.play()
	send := []string{"--channel", "house", "--latency", "200ms", "tune"}
	s.send(send...)
	s.playing(machines(s.rooms)...)
	s.until(hall.machine, "settled", settled)

	s.must(porch.signal(syscall.SIGSTOP))
	time.Sleep(3 * time.Second)
	continued := monotonic()
	s.must(porch.signal(syscall.SIGCONT))
	time.Sleep(1500 * time.Millisecond)
	s.until(porch.machine, "settled after standing still", settled)
	ended := monotonic()

	s.must(s.source.signal(syscall.SIGKILL))
	<-s.source.process.Done()
	time.Sleep(time.Second)
	s.send(send...)
	for _, r := range s.rooms {
		s.until(r.machine, "playing the new stream", func(st control.Status) bool { return settled(st) && st.Timing.PresentedMedia < 20*48000 })
	}
	s.says(hall.machine, "the stream has ended")
	time.Sleep(500 * time.Millisecond)
	last := monotonic()
	status := s.now(hall.machine)
	began := status.Timing.PresentedLocal - int64(status.Timing.PresentedMedia/48000*1e9) - int64(200*time.Millisecond)
	for _, r := range s.rooms {
		r.stop()
	}

	after, offsets, ok := s.alignedFrom(hall, porch, continued, ended)
	if !ok {
		t.Fatalf("not aligned after standing still; load %s", load())
	}
	heard := time.Duration(s.outage(porch, span{continued, ended}).back - continued)
	t.Logf("3 s of standing still: sound %v after going on, aligned after %v within %v", heard.Round(time.Millisecond), after.Round(time.Millisecond), measure.Percentile(offsets, 100))
	if max(after, heard) > 5*time.Second {
		t.Errorf("sound %v, aligned %v after standing still", heard, after)
	}
	var sound []time.Duration
	for _, r := range s.rooms {
		o := s.outage(r, span{began, last})
		sound = append(sound, time.Duration(o.back-began))
	}
	after, offsets, ok = s.alignedFrom(hall, porch, began, last)
	if !ok {
		t.Fatalf("not aligned after the source was killed; load %s", load())
	}
	t.Logf("source killed: sound %v after its first packet (latency 200 ms), aligned within %v from %v on, load %s",
		slices.Max(sound).Round(time.Millisecond), measure.Percentile(offsets, 100), after.Round(time.Millisecond), load())
	if slices.Max(sound) > 10*time.Second || measure.Percentile(offsets, 100) > 500*time.Microsecond {
		t.Errorf("after the source was killed: sound after %v, alignment %v", sound, measure.Percentile(offsets, 100))
	}
}

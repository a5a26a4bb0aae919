package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/tutti-audio/tutti/internal/measure"
	"github.com/tutti-audio/tutti/sync/syncsim"
)

// benchSim simulates a day on two networks side by side.
func benchSim(_ context.Context, r *results) error {
	live := term.IsTerminal(int(os.Stdout.Fd()))
	var progress [2]float64
	var mu sync.Mutex
	show := func(i int) func(float64) {
		return func(done float64) {
			mu.Lock()
			defer mu.Unlock()
			progress[i] = done
			if live {
				fmt.Printf("\r  wired %3.0f %%, wireless %3.0f %% ", 100*progress[0], 100*progress[1])
			}
		}
	}
	var out [2]syncsim.Result
	var wait sync.WaitGroup
	for i, n := range []syncsim.Network{syncsim.Wired(), syncsim.Wireless()} {
		wait.Go(func() {
			s := syncsim.House(1, 24*time.Hour, n)
			s.Progress = show(i)
			out[i] = syncsim.Run(s)
		})
	}
	wait.Wait()
	if live {
		fmt.Print("\r\033[K")
	}
	w, wl := out[0], out[1]
	r.atMost("24 h wired, pairwise p99.9", us(w.P999), 20, "µs")
	r.add("24 h wired, pairwise median", us(w.P50), "µs")
	r.add("24 h wired, pairwise max", us(w.Max), "µs")
	r.atMost("24 h wired, first sample", us(w.First), 100, "µs")
	r.atMost("24 h wired, discontinuities", float64(w.Jumps), 0, "")
	r.atMost("24 h wired, reports outside their own bound", 100*w.OutsideBound, 0.1, "%")
	r.atMost("24 h of 5±3 ms and 2 % loss, pairwise p99.9", us(wl.P999), 200, "µs")
	r.add("24 h of 5±3 ms and 2 % loss, first sample", us(wl.First), "µs")
	r.atMost("24 h of 5±3 ms and 2 % loss, discontinuities", float64(wl.Jumps), 0, "")
	return nil
}

// benchLAN runs real processes and judges their recordings.
func benchLAN(ctx context.Context, r *results) error {
	dir := filepath.Join("build", "bench-lan")
	rooms := threeRooms()
	h, source, err := furnish(dir, rooms)
	if err != nil {
		return err
	}
	defer h.close()
	if err := begin(ctx, source, rooms, []string{"--channel", "house", "tune"}); err != nil {
		return err
	}
	reports := watch(ctx, source, rooms, 120*time.Second)
	for _, m := range h.all[1:] {
		m.stop()
	}
	pairs, err := judge(rooms, reports)
	if err != nil {
		return err
	}
	var all []measure.Offset
	outside, worst := 0.0, time.Duration(0)
	for _, p := range pairs {
		all = append(all, p.measured...)
		bad, difference := p.disagreement()
		outside, worst = max(outside, bad), max(worst, difference)
	}
	r.add("alignment of recordings, median", us(measure.Percentile(all, 50)), "µs")
	r.atMost("alignment of recordings, p99", us(measure.Percentile(all, 99)), 50, "µs")
	r.atMost("alignment of recordings, max", us(measure.Percentile(all, 100)), 500, "µs")
	r.atMost("reports that disagree beyond their bound", 100*outside, 0, "%")
	r.add("reports against recordings, worst", us(worst), "µs")
	return plotAlignment(filepath.Join(dir, "alignment.png"), "lan: cards at 0/+120/−150 ppm, hosts at 0/+80/−100 ppm", pairs)
}

// benchLatency looks for the lowest latency without a gap: ten seconds each on
// the way down, then a minute at the lowest, going up until one is clean.
func benchLatency(ctx context.Context, r *results) error {
	steps := []time.Duration{3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 30, 50}
	for _, ms := range steps {
		latency := ms * time.Millisecond
		for _, length := range []time.Duration{10 * time.Second, 60 * time.Second} {
			faults, err := playTone(ctx, latency, length)
			if err != nil {
				return err
			}
			r.add(fmt.Sprintf("gaps in %v at %v", length, latency), float64(faults), "")
			if faults > 0 {
				break
			}
			if length == 60*time.Second {
				r.atMost("lowest latency without a gap in 60 s", latency.Seconds()*1000, 5, "ms")
				return nil
			}
		}
	}
	return fmt.Errorf("not even %v plays without a gap: the machine is too busy", steps[len(steps)-1]*time.Millisecond)
}

// playTone plays 1 ms packets for a while and counts gaps: breaks in what the card
// recorded, and what the speaker itself counted.
func playTone(ctx context.Context, latency, length time.Duration) (faults int, err error) {
	one := &room{name: "Speaker", cardPPM: 50, hostPPM: 30}
	h, source, err := furnish(filepath.Join("build", "bench-latency"), []*room{one})
	if err != nil {
		return 0, err
	}
	defer h.close()
	send := []string{"--channel", "tone", "--codec", "pcm24", "--packet", "1ms", "--latency", latency.String(), "tone:1000:-6"}
	if err := begin(ctx, source, []*room{one}, send); err != nil {
		return 0, err
	}
	time.Sleep(2 * time.Second)
	before, err := one.status()
	if err != nil {
		return 0, err
	}
	from := monotonic()
	machine := watchStalls(latency / 2)
	time.Sleep(length)
	stalled, worst := machine.stop()
	to := monotonic()
	after, err := one.status()
	if err != nil {
		return 0, err
	}
	one.stop()
	recording, err := loadRecording(one.recording())
	if err != nil {
		return 0, err
	}
	cut := recording.Samples[frameAt(recording, from):frameAt(recording, to)]
	gaps := measure.Gaps(cut, 1000.0/48000, 0.002)
	own := int(after.Output.Xruns-before.Output.Xruns) + int(after.Timing.Jumps-before.Timing.Jumps)
	if after.Packets.Concealed != before.Packets.Concealed {
		own++
	}
	fmt.Printf("  %v at %v: %d gaps in the recording; xruns %d, jumps %d, concealed %d frames; bare threads woke over %v late %d times, worst %v\n", length, latency, gaps,
		after.Output.Xruns-before.Output.Xruns, after.Timing.Jumps-before.Timing.Jumps, after.Packets.Concealed-before.Packets.Concealed,
		latency/2, stalled, worst.Round(10*time.Microsecond))
	return max(gaps, own), nil
}

func frameAt(r *measure.Recording, nanos int64) int {
	for _, i := range r.Instants {
		if i.Nanos >= nanos {
			return i.Frame
		}
	}
	return len(r.Samples)
}

// benchPurity plays a tone on a card that runs 150 ppm fast.
func benchPurity(ctx context.Context, r *results) error {
	one := &room{name: "Speaker", cardPPM: 150}
	h, source, err := furnish(filepath.Join("build", "bench-purity"), []*room{one})
	if err != nil {
		return err
	}
	defer h.close()
	if err := begin(ctx, source, []*room{one}, []string{"--channel", "tone", "--codec", "pcm24", "tone:1000:-1"}); err != nil {
		return err
	}
	time.Sleep(20 * time.Second)
	s, err := one.status()
	if err != nil {
		return err
	}
	one.stop()
	recording, err := loadRecording(one.recording())
	if err != nil {
		return err
	}
	worst := -200.0
	for end := len(recording.Samples) - 24000; end-1<<16 > len(recording.Samples)/3; end -= 1 << 16 {
		db, err := measure.Purity(recording.Samples[end-1<<16:end], 48000, 1000)
		if err != nil {
			return err
		}
		worst = max(worst, db)
	}
	r.add("correction during the tone", s.Timing.PPM, "ppm")
	r.atMost("THD+N, 20 Hz to 20 kHz, worst window", worst, -100, "dB")
	return nil
}

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/internal/measure"
	"github.com/tutti-audio/tutti/internal/netlab"
)

const (
	demoLength = 20 * time.Second
	demoPause  = 500 * time.Millisecond // between two looks
)

// rooms are three speakers whose crystals disagree, as cheap boards' do.
func threeRooms() []*room {
	return []*room{
		{name: "Kitchen", cardPPM: 0, hostPPM: 0},
		{name: "Living room", cardPPM: 120, hostPPM: 80},
		{name: "Bedroom", cardPPM: -150, hostPPM: -100},
	}
}

func demo(ctx context.Context, args []string) error {
	dir := filepath.Join("build", "demo")
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	inputs := slices.DeleteFunc(args, func(a string) bool { return a == "" })
	if len(inputs) == 0 {
		inputs = []string{"tune"}
	}
	rooms := threeRooms()
	h, source, err := furnish(dir, rooms)
	if err != nil {
		return err
	}
	defer h.close()
	where := "each on a host of its own (network namespaces, joined by a switch)"
	if netlab.Available() != nil {
		where = "all on loopback"
	}
	fmt.Printf("One source and three speakers, %s.\nTheir crystals disagree by up to 270 ppm (cards) and 180 ppm (hosts).\n\n", where)
	if err := begin(ctx, source, rooms, append([]string{"--channel", "house"}, inputs...)); err != nil {
		return err
	}
	reports := watch(ctx, source, rooms, demoLength)
	for _, m := range h.all[1:] {
		m.stop()
	}
	source.stop()
	return summarise(dir, rooms, reports)
}

// furnish makes the hosts: the source's first.
func furnish(dir string, rooms []*room) (*house, *machine, error) {
	if err := os.RemoveAll(dir); err != nil { // what a run before remembered
		return nil, nil, err
	}
	h, err := newHouse(filepath.Join("build", "tutti"), dir)
	if err != nil {
		return nil, nil, err
	}
	source, err := h.add("source")
	for _, r := range rooms {
		if err == nil {
			r.machine, err = h.add(r.name)
		}
	}
	if err != nil {
		_ = h.close()
		return nil, nil, err
	}
	return h, source, nil
}

// begin starts the speakers, then the source, and waits until all play.
func begin(ctx context.Context, source *machine, rooms []*room, send []string) error {
	for i, r := range rooms {
		if err := r.speaker(ctx, r.card(i+1), "--host-skew-ppm", fmt.Sprint(r.hostPPM)); err != nil {
			return err
		}
	}
	if err := source.source(ctx, send...); err != nil {
		return err
	}
	for _, r := range rooms {
		if err := waitPlaying(ctx, 15*time.Second, r.machine); err != nil {
			return err
		}
	}
	return nil
}

// watch shows the speakers for a while and collects their reports.
func watch(ctx context.Context, source *machine, rooms []*room, length time.Duration) (reports []report) {
	live := term.IsTerminal(int(os.Stdout.Fd()))
	began := time.Now()
	for n := 0; time.Since(began) < length && ctx.Err() == nil; n++ {
		lines := table(rooms, time.Since(began))
		switch {
		case live && n > 0:
			fmt.Printf("\033[%dA%s", len(lines), strings.Join(lines, "\033[K\n")+"\033[K\n")
		case live || n%10 == 2:
			fmt.Println(strings.Join(lines, "\n"))
		}
		if l, err := source.listeners(); err == nil {
			reports = append(reports, report{at: monotonic(), listeners: l})
		}
		time.Sleep(demoPause)
	}
	return reports
}

// table is what the speakers say now.
func table(rooms []*room, since time.Duration) []string {
	lines := []string{fmt.Sprintf("%-12s %-24s %-8s %16s %9s %7s %12s   %4.0f s", "speaker", "output", "state", "offset ± bound", "latency", "loss", "resampling", since.Seconds())}
	for _, r := range rooms {
		s, err := r.status()
		if err != nil {
			lines = append(lines, fmt.Sprintf("%-12s does not answer: %v", r.name, err))
			continue
		}
		lines = append(lines, row(s))
	}
	return lines
}

func row(s control.Status) string {
	latency := 0.0
	if s.Stream != nil {
		latency = s.Stream.LatencyMS
	}
	loss := 0.0
	if all := s.Packets.Received + s.Packets.Lost; all > 0 {
		loss = 100 * float64(s.Packets.Lost) / float64(all)
	}
	t := s.Timing
	return fmt.Sprintf("%-12s %-24s %-8s %+7.1f ± %3.0f µs %6.0f ms %5.1f %% %+8.1f ppm", s.Name, s.Output.Name, s.State, t.OffsetUS, t.BoundUS, latency, loss, t.PPM)
}

// summarise prints the measured alignment and draws it.
func summarise(dir string, rooms []*room, reports []report) error {
	fmt.Println("\nNow the truth: what the three sound cards recorded, cross-correlated.")
	pairs, err := judge(rooms, reports)
	if err != nil {
		return err
	}
	var all []measure.Offset
	for _, p := range pairs {
		all = append(all, p.measured...)
		_, worst := p.disagreement()
		fmt.Printf("  %-26s median %5.1f µs   p99 %5.1f µs   max %5.1f µs   own reports within %.1f µs\n", p.b.name+" – "+p.a.name,
			us(measure.Percentile(p.measured, 50)), us(measure.Percentile(p.measured, 99)), us(measure.Percentile(p.measured, 100)), us(worst))
	}
	fmt.Printf("  %-26s median %5.1f µs   p99 %5.1f µs   max %5.1f µs   (one sample is 20.8 µs)\n\n", "all pairs",
		us(measure.Percentile(all, 50)), us(measure.Percentile(all, 99)), us(measure.Percentile(all, 100)))
	picture := filepath.Join(dir, "alignment.png")
	if err := plotAlignment(picture, "Three speakers in one house", pairs); err != nil {
		return err
	}
	for _, r := range rooms {
		fmt.Println(" ", r.recording())
	}
	fmt.Println(" ", picture)
	return nil
}

func us(d time.Duration) float64 { return float64(d) / 1e3 }

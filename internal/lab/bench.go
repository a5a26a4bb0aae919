package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// figure is one measured number beside what it is held to.
type figure struct {
	Bench string  `json:"bench"`
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Bar   string  `json:"bar,omitempty"` // as in "≤ 20"; empty: for information
	Met   *bool   `json:"met,omitempty"`
	Load  string  `json:"load"` // the machine's, when it was measured
}

// results collects the figures of one benchmark.
type results struct {
	bench string
	list  []figure
}

func (r *results) add(name string, value float64, unit string) {
	r.list = append(r.list, figure{Bench: r.bench, Name: name, Value: value, Unit: unit, Load: load()})
}

// atMost adds a figure that is to be at most limit.
func (r *results) atMost(name string, value, limit float64, unit string) {
	r.add(name, value, unit)
	f := &r.list[len(r.list)-1]
	met := value <= limit
	f.Bar, f.Met = fmt.Sprintf("≤ %g", limit), &met
}

// atLeast adds a figure that is to be at least limit.
func (r *results) atLeast(name string, value, limit float64, unit string) {
	r.add(name, value, unit)
	f := &r.list[len(r.list)-1]
	met := value >= limit
	f.Bar, f.Met = fmt.Sprintf("≥ %g", limit), &met
}

type benchmark struct {
	name, about string
	run         func(context.Context, *results) error
}

func benchmarks() []benchmark {
	return []benchmark{
		{"sim", "a simulated day in a house of three speakers, wired and wireless (2 min)", benchSim},
		{"lan", "three processes in namespaces, 120 s, judged by their recordings", benchLAN},
		{"latency", "the lowest latency that plays 1 ms packets for 60 s without a gap", benchLatency},
		{"purity", "THD+N of a tone while 150 ppm are corrected", benchPurity},
		{"cost", "CPU, memory, allocations, size (4 min)", benchCost},
		{"realtime", "how the audio thread is woken, and what is heard of it, without and with load (11 min)", benchRealTime},
		{"relay", "fan-out beside a C loop, listeners per core, delay, memory, joins (3 min)", benchRelay},
		{"nat", "for each pair of networks: by which mode a source is heard, and how soon (4 min)", benchNAT},
		{"ways", "200 changes of the way at random moments, under load: what is lost, and how far speakers get apart (6 min)", benchWays},
		{"loss-40ms", "what a listener off the LAN makes up, against what its line loses (3 min)", benchLoss(40 * time.Millisecond)},
		{"loss-100ms", "the same at 100 ms of latency (3 min)", benchLoss(100 * time.Millisecond)},
		{"loss-300ms", "the same at 300 ms (3 min)", benchLoss(300 * time.Millisecond)},
		{"gateway", "a house that hears a stream from outside: alignment, and what is heard when the gateway dies (8 min)", benchGateway},
		{"join", "from the wish to join to the first sound", joinTime},
	}
}

// bench runs the named benchmarks, or all, and writes build/bench.json.
func bench(ctx context.Context, names []string) error {
	var all []figure
	for _, b := range benchmarks() {
		if group, _, _ := strings.Cut(b.name, "-"); len(names) > 0 && !slices.Contains(names, b.name) && !slices.Contains(names, group) {
			continue
		}
		fmt.Printf("%s: %s\n", b.name, b.about)
		r := results{bench: b.name}
		err := b.run(ctx, &r)
		for _, f := range r.list {
			fmt.Println(" ", line(f))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		all = append(all, r.list...)
	}
	if len(all) == 0 {
		return fmt.Errorf("no benchmark named %s: choose from sim, lan, latency, purity, cost, realtime, relay, nat, ways, loss (or loss-40ms, loss-100ms, loss-300ms), gateway, join", strings.Join(names, ", "))
	}
	return writeBench(all)
}

func line(f figure) string {
	mark := ""
	if f.Met != nil {
		mark = map[bool]string{true: "met", false: "MISSED"}[*f.Met]
	}
	return fmt.Sprintf("%-52s %12.4g %-10s %-10s %-7s load %s", f.Name, f.Value, f.Unit, f.Bar, mark, f.Load)
}

func writeBench(figures []figure) error {
	commit, _ := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	b, err := json.MarshalIndent(map[string]any{
		"time": time.Now().UTC().Format(time.RFC3339), "commit": strings.TrimSpace(string(commit)),
		"machine": fmt.Sprintf("%s/%s, %d cores", runtime.GOOS, runtime.GOARCH, runtime.NumCPU()), "figures": figures,
	}, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join("build", "bench.json")
	fmt.Println("written to", path)
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

// load is the machine's load average over the last minute.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "?"
	}
	first, _, _ := strings.Cut(string(b), " ")
	return first
}

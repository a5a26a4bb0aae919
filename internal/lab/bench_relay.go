package main

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed yardstick/fanout.c
var fanoutSource string

// benchRelay measures the relay's process from outside.
func benchRelay(ctx context.Context, r *results) error {
	var errs []error
	for _, step := range []func(context.Context, *results) error{relayFanOut, relayListeners, sealedListeners, relayDelay, relayMemory, relayJoins, relayAmplification} {
		errs = append(errs, step(ctx, r))
	}
	return errors.Join(errs...)
}

// counts reads the relay's counters.
func (p *relayProcess) counts() (map[string]float64, error) {
	return readMetrics(http.DefaultClient, "http://"+p.http+"/metrics", "tutti_relay_")
}

// readMetrics reads counters whose names begin with prefix, which is left out.
func readMetrics(client *http.Client, url, prefix string) (map[string]float64, error) {
	response, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	found := map[string]float64{}
	for s := bufio.NewScanner(response.Body); s.Scan(); {
		if name, value, ok := strings.Cut(s.Text(), " "); ok {
			found[strings.TrimPrefix(name, prefix)], _ = strconv.ParseFloat(value, 64)
		}
	}
	return found, nil
}

// spent runs something and returns the copies that the relay sent meanwhile and the
// CPU seconds it took.
func (p *relayProcess) spent(do func()) (copies, cpu float64, err error) {
	before, err := p.counts()
	if err != nil {
		return 0, 0, err
	}
	cpu = cpuSeconds(p.cmd.Process.Pid)
	do()
	time.Sleep(100 * time.Millisecond)
	cpu = cpuSeconds(p.cmd.Process.Pid) - cpu
	after, err := p.counts()
	return after["packets_sent_total"] - before["packets_sent_total"], cpu, err
}

// buildFanOut compiles the C yardstick.
func buildFanOut(ctx context.Context) (string, error) {
	source, program := filepath.Join("build", "fanout.c"), filepath.Join("build", "fanout")
	if err := os.WriteFile(source, []byte(fanoutSource), 0o644); err != nil {
		return "", err
	}
	if out, err := exec.CommandContext(ctx, "cc", "-O2", "-o", program, source).CombinedOutput(); err != nil {
		return "", fmt.Errorf("the C yardstick cannot be compiled, install a C compiler: %w\n%s", err, out)
	}
	return program, nil
}

// yardstick sends to the crowd from C and returns datagrams per CPU second.
func yardstick(ctx context.Context, program string, c *crowd, perSecond float64, d time.Duration) (float64, error) {
	cmd := exec.CommandContext(ctx, program, "350", fmt.Sprint(perSecond), fmt.Sprint(d.Seconds()))
	cmd.Stdin = strings.NewReader(c.ports())
	out, err := cmd.Output()
	if err != nil {
		return 0, err
	}
	var sent, cpu float64
	if _, err := fmt.Sscan(string(out), &sent, &cpu); err != nil {
		return 0, err
	}
	return sent / cpu, nil
}

// relayFanOut compares the relay with a C loop that does nothing but send, to the
// same 1,000 sockets at the same pace, by turns. The crowd says nothing meanwhile: what
// it takes to hear it is not fan-out.
func relayFanOut(ctx context.Context, r *results) error {
	program, err := buildFanOut(ctx)
	if err != nil {
		return err
	}
	h, err := openHall(ctx)
	if err != nil {
		return err
	}
	defer h.close()
	p, c, s := h.relay, h.crowd, h.source
	for _, pace := range []float64{500, 50} {
		var ratios, ours, theirs []float64
		for range 5 {
			var copies, cpu float64
			c.silently(func() {
				copies, cpu, err = p.spent(func() { play([]*relaySource{s}, pace, 3*time.Second) })
			})
			if err != nil {
				return err
			}
			bare, err := yardstick(ctx, program, c, pace, 3*time.Second)
			if err != nil {
				return err
			}
			ours, theirs, ratios = append(ours, copies/cpu), append(theirs, bare), append(ratios, copies/cpu/bare)
		}
		what := fmt.Sprintf("fan-out to 1,000 at %g packets/s", pace)
		r.add(what+", copies per CPU second", median(ours), "1/s")
		r.add(what+", C sendmmsg loop", median(theirs), "1/s")
		r.atLeast(what+", ratio to C, median of 5", median(ratios), 0.9, "")
	}
	return nil
}

func median(all []float64) float64 { return percentile(all, 0.5) }

// percentile is the value that a share p of all does not exceed.
func percentile(all []float64, p float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(int(p*float64(len(sorted))), len(sorted)-1)]
}

// relayListeners is how many listeners of 20 ms Opus one core carries: 4,000 in four
// channels, and the CPU time they take.
func relayListeners(ctx context.Context, r *results) error {
	const listeners, channels = 4000, 4
	p, err := startRelay(ctx, "")
	if err != nil {
		return err
	}
	defer p.stop()
	c, err := newCrowd(p.udp, listeners)
	if err != nil {
		return err
	}
	defer c.close()
	var sources []*relaySource
	for i := range channels {
		s, err := newRelaySource(p.udp, fmt.Sprint("bench/", i))
		if err != nil {
			return err
		}
		defer s.Close()
		sources = append(sources, s)
	}
	program, err := buildFanOut(ctx)
	if err != nil {
		return err
	}
	var all, bare []float64
	for range 3 {
		const d = 8 * time.Second
		datagrams, err := yardstick(ctx, program, c, 50, 3*time.Second)
		if err != nil {
			return err
		}
		bare = append(bare, datagrams/50)
		copies, cpu, err := p.spent(func() { play(sources, 50, d) })
		if err != nil {
			return err
		}
		if want := listeners * 50 * d.Seconds(); copies < 0.98*want {
			return fmt.Errorf("the relay sent %.0f of %.0f copies", copies, want)
		}
		all = append(all, copies/50/cpu)
	}
	r.add("listeners of 20 ms Opus per core, a C loop that only sends", median(bare), "")
	r.atLeast("listeners of 20 ms Opus per core, plain, median of 3", median(all), 8000, "")
	return nil
}

// relayDelay is from the source's send call to the arrival of the last copy of 1,000.
func relayDelay(ctx context.Context, r *results) error {
	h, err := openHall(ctx)
	if err != nil {
		return err
	}
	defer h.close()
	p, s := h.relay, h.source
	last, err := newListener(p.udp, "bench/0") // joined last, is sent to last
	if err != nil {
		return err
	}
	defer last.Close()
	var delays []float64
	for range 500 {
		begin := time.Now()
		s.send()
		if err := last.next(s.packet.Sequence()); err != nil {
			return err
		}
		delays = append(delays, float64(time.Since(begin))/1e6)
		time.Sleep(20*time.Millisecond - time.Since(begin))
	}
	r.add("send to arrival of the last of 1,000 copies, p50", median(delays), "ms")
	r.add("send to arrival of the last of 1,000 copies, p99", percentile(delays, 0.99), "ms")
	return nil
}

// relayMemory is what a member adds to the relay's resident memory.
func relayMemory(ctx context.Context, r *results) error {
	const members = 4000
	p, err := startRelay(ctx, "")
	if err != nil {
		return err
	}
	defer p.stop()
	r.add("resident memory without members", memory(p.cmd.Process.Pid), "MiB")
	before := memory(p.cmd.Process.Pid)
	c, err := newCrowd(p.udp, members)
	if err != nil {
		return err
	}
	defer c.close()
	r.add("resident memory for each of 4,000 members", (memory(p.cmd.Process.Pid)-before)*1024/members, "KiB")
	return nil
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// benchCost measures what a speaker takes.
func benchCost(ctx context.Context, r *results) error {
	for _, codec := range []string{"pcm16", "opus"} {
		if err := costOf(ctx, r, codec); err != nil {
			return err
		}
	}
	return sizes(ctx, r)
}

// costOf plays a minute of one codec and reads what the kernel and the runtime
// count.
func costOf(ctx context.Context, r *results, codec string) error {
	one := &room{name: "Speaker", cardPPM: 50}
	h, source, err := furnish(filepath.Join("build", "bench-cost"), []*room{one})
	if err != nil {
		return err
	}
	defer h.close()
	if err := one.speaker(ctx, "virtual:ppm=50"); err != nil {
		return err
	}
	packet := "5ms"
	if codec == "opus" {
		packet = "20ms"
	}
	if err := source.source(ctx, "--channel", "cost", "--codec", codec, "--packet", packet, "tune"); err != nil {
		return err
	}
	if err := waitPlaying(ctx, 10*time.Second, one.machine); err != nil {
		return err
	}
	time.Sleep(5 * time.Second)
	before, packetsBefore, err := one.counts()
	if err != nil {
		return err
	}
	cpu := cpuSeconds(one.cmd.Process.Pid)
	time.Sleep(time.Minute)
	cpu = cpuSeconds(one.cmd.Process.Pid) - cpu
	after, packetsAfter, err := one.counts()
	if err != nil {
		return err
	}
	r.atMost(codec+" "+packet+", CPU per minute of audio", cpu, 0.5, "s")
	r.atMost(codec+" "+packet+", resident memory", memory(one.cmd.Process.Pid), 20, "MiB")
	r.add(codec+" "+packet+", heap objects per packet, whole process", (after-before)/(packetsAfter-packetsBefore), "")
	return nil
}

// counts reads how many heap objects a speaker has made and packets it has taken.
func (m *machine) counts() (objects, packets float64, err error) {
	response, err := m.client.Get("http://" + m.address + "/metrics")
	if err != nil {
		return 0, 0, err
	}
	defer response.Body.Close()
	for s := bufio.NewScanner(response.Body); s.Scan(); {
		name, value, _ := strings.Cut(s.Text(), " ")
		v, _ := strconv.ParseFloat(value, 64)
		switch name {
		case "tutti_heap_objects_total":
			objects = v
		case "tutti_packets_received_total":
			packets = v
		}
	}
	if objects == 0 || packets == 0 {
		return 0, 0, fmt.Errorf("%s/metrics lacks tutti_heap_objects_total or tutti_packets_received_total", m.address)
	}
	return objects, packets, nil
}

// cpuSeconds is the CPU time that a process's threads have used.
func cpuSeconds(pid int) float64 {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	sum := 0.0
	for _, t := range tasks {
		b, err := os.ReadFile(t)
		if err != nil {
			continue
		}
		ns, _ := strconv.ParseFloat(strings.Fields(string(b))[0], 64)
		sum += ns * 1e-9
	}
	return sum
}

// memory is a process's resident set in megabytes.
func memory(pid int) float64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for _, line := range strings.Split(string(b), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1024
		}
	}
	return 0
}

// joinTime is from the wish to join to the first sound, less the latency.
func joinTime(ctx context.Context, r *results) error {
	worst, sum := 0.0, 0.0
	const tries = 8
	for range tries {
		took, err := joinOnce(ctx)
		if err != nil {
			return err
		}
		worst, sum = max(worst, took), sum+took
	}
	r.add("join to first sound less latency, mean of 8", sum/tries, "ms")
	r.atMost("join to first sound less latency, worst of 8", worst, 300, "ms")
	return nil
}

func joinOnce(ctx context.Context) (float64, error) {
	const latency = 100.0
	one := &room{name: "Speaker", cardPPM: -80}
	h, source, err := furnish(filepath.Join("build", "bench-join"), []*room{one})
	if err != nil {
		return 0, err
	}
	defer h.close()
	if err := one.speaker(ctx, one.card(1), "--channel", "nothing"); err != nil {
		return 0, err
	}
	if err := source.source(ctx, "--channel", "house", "tone:440:-6"); err != nil {
		return 0, err
	}
	if err := one.sees("house"); err != nil {
		return 0, err
	}
	time.Sleep(500 * time.Millisecond)
	began := monotonic()
	response, err := one.client.Post("http://"+one.address+"/api/v1/join", "application/json", bytes.NewReader([]byte(`{"channel":"house"}`)))
	if err != nil {
		return 0, err
	}
	response.Body.Close()
	if response.StatusCode >= http.StatusMultipleChoices {
		return 0, fmt.Errorf("join: %s", response.Status)
	}
	time.Sleep(2500 * time.Millisecond)
	one.stop()
	recording, err := loadRecording(one.recording())
	if err != nil {
		return 0, err
	}
	first, ok := firstSound(recording)
	if !ok {
		return 0, fmt.Errorf("no sound after joining; see build/bench-join")
	}
	return float64(first-began)/1e6 - latency, nil
}

// sees waits until the speaker has found a source of the channel.
func (m *machine) sees(channel string) error {
	for range 200 {
		var found []struct {
			Channel string `json:"channel"`
		}
		if err := m.get("/api/v1/sources", &found); err == nil {
			for _, s := range found {
				if s.Channel == channel {
					return nil
				}
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("%s does not find channel %s", m.name, channel)
}

// sizes builds the binary for every architecture.
func sizes(ctx context.Context, r *results) error {
	if out, err := exec.CommandContext(ctx, "make", "-s", "cross").CombinedOutput(); err != nil {
		return fmt.Errorf("make cross: %w\n%s", err, out)
	}
	files, _ := filepath.Glob("build/tutti-linux-*")
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			return err
		}
		r.atMost("size, "+strings.TrimPrefix(filepath.Base(f), "tutti-linux-"), float64(info.Size())/(1<<20), 12, "MiB")
	}
	return nil
}

package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/alsa"
	"github.com/tutti-audio/tutti/internal/measure"
	"github.com/tutti-audio/tutti/internal/vm/inside"
)

const (
	tone     = 1000.0
	patience = 120 * time.Second // for sound without a break, on a busy machine
	driver   = "/sys/bus/platform/drivers/snd_aloop/"
)

// house plays a stream with the tutti binary on the real driver, whose crystal is
// off, starves it, unplugs the card
// and plugs it in again, and sends what the card records.
func house() {
	if err := drift(); err != nil {
		inside.Say(false, "drift", "%v", err)
	}
	sender := start("send", "--interface", "lo", "--latency", "300ms", "--codec", "pcm24", "--http", ":8401", fmt.Sprintf("tone:%g:-6", tone))
	speaker := start("run", "--interface", "lo", "--output", "alsa:"+loopback, "--volume", "100", "--state-dir", "/tmp/speaker", "--http", ":8400")
	heard("plays")
	learnt()
	starve(speaker)
	heard("plays-again-after-starving")
	unplug(speaker)
	heard("plays-again-after-unplug")
	sender.end()
	lineIn()
	speaker.end()
}

// lineIn plays a tone into another subdevice, whose other end is the line input.
func lineIn() {
	quit := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		if err := playTone(quit); err != nil {
			inside.Say(false, "line-in", "%v", err)
		}
	})
	sender := start("send", "--interface", "lo", "--latency", "600ms", "--codec", "pcm24", "--http", ":8401", "alsa:hw:0,1,1")
	heard("line-in")
	sender.end()
	close(quit)
	wait.Wait()
}

// playTone plays on subdevice 1 until told to end.
func playTone(quit <-chan struct{}) error {
	out, err := alsa.OpenPlayback(alsa.Linux{}, playback(1), config(alsa.S32, 48000))
	if err != nil {
		return err
	}
	defer out.Close()
	var wave [48]float32 // a period
	for i := range wave {
		wave[i] = float32(0.5 * math.Sin(2*math.Pi*float64(i)/float64(len(wave))))
	}
	pcm := make([]float32, 2*out.Config().Buffer)
	for next := int64(0); ; time.Sleep(20 * time.Millisecond) {
		select {
		case <-quit:
			return nil
		default:
		}
		s, err := out.Status(0)
		if err != nil {
			return err
		}
		next = max(next, s.Frames)
		n := max(int(s.Frames+int64(out.Config().Buffer)*3/4-next), 0)
		for i := range n {
			x := wave[(next+int64(i))%int64(len(wave))]
			pcm[2*i], pcm[2*i+1] = x, x
		}
		took, err := out.Write(next, pcm[:2*n])
		if err != nil {
			return err
		}
		next += int64(took)
	}
}

// heard records until there is a second and a half of unbroken tone, and measures
// it.
func heard(name string) {
	const length = 1 << 16
	began := time.Now()
	best, worst := "nothing was heard", 0
	for time.Since(began) < patience {
		samples, err := listen(length + 4800)
		if err != nil {
			best = err.Error()
			time.Sleep(500 * time.Millisecond)
			continue
		}
		gaps := measure.Gaps(samples, tone/48000, 1e-3)
		impurity, err := measure.Purity(samples[len(samples)-length:], 48000, tone)
		if err != nil {
			best = err.Error()
			continue
		}
		best = fmt.Sprintf("THD+N %.1f dB, level %.2f dB, %d breaks in %.1f s; %d recordings before it had breaks; %.0f s after the start",
			impurity, level(samples), gaps, float64(len(samples))/48000, worst, time.Since(began).Seconds())
		if gaps == 0 && impurity < -90 && math.Abs(level(samples)+6.02) < 0.2 {
			inside.Say(true, name, "%s", best)
			return
		}
		worst++
		fmt.Println("not yet:", best)
	}
	inside.Say(false, name, "%s", best)
}

// level is that of a sine, in dBFS.
func level(samples []float32) float64 {
	sum := 0.0
	for _, x := range samples {
		sum += float64(x) * float64(x)
	}
	return 10 * math.Log10(2*sum/float64(len(samples)))
}

// listen records what the speaker plays.
func listen(frames int) (left []float32, err error) {
	in, err := alsa.OpenCapture(alsa.Linux{}, record(0), config(0, 48000))
	if err != nil {
		return nil, err
	}
	defer in.Close()
	pcm := make([]float32, 2*in.Config().Buffer)
	for stop := time.Now().Add(20 * time.Second); len(left) < frames; {
		if left, err = take(in, left, pcm); err != nil {
			return nil, err
		}
		if time.Now().After(stop) {
			return nil, errors.New("nothing is recorded")
		}
	}
	return left, nil
}

// starve stops the speaker's process for longer than the ring lasts: the card must
// run on in silence, and nothing be opened again.
func starve(speaker *process) {
	speaker.forget()
	_ = speaker.cmd.Process.Signal(unix.SIGSTOP)
	time.Sleep(time.Second)
	samples, err := listen(24000)
	loud := 0
	for _, x := range samples {
		if x != 0 {
			loud++
		}
	}
	_ = speaker.cmd.Process.Signal(unix.SIGCONT)
	time.Sleep(time.Second)
	kept := !speaker.said("output")
	inside.Say(err == nil && loud == 0 && kept, "starved", "%d of %d frames were not silent, %v; the output stayed open: %v", loud, len(samples), err, kept)
}

// unplug takes the card away from its driver, which is what unplugging comes to, and
// gives it back after the speaker noticed.
func unplug(speaker *process) {
	if err := write(driver+"unbind", "snd_aloop.0"); err != nil {
		inside.Say(false, "unplug", "%v", err)
		return
	}
	_, err := alsa.Find(alsa.Linux{}, loopback, false)
	inside.Say(errors.Is(err, alsa.ErrGone), "unplug", "%v", err)
	inside.Say(speaker.says("output lost"), "unplug-noticed", "the speaker says so")
	time.Sleep(2 * time.Second)
	if err := write(driver+"bind", "snd_aloop.0"); err != nil {
		inside.Say(false, "plug", "%v", err)
	}
}

func write(path, text string) error { return os.WriteFile(path, []byte(text), 0o200) }

// process is a running tutti whose log goes to the console.
type process struct {
	cmd *exec.Cmd

	mu  sync.Mutex
	log strings.Builder
}

func start(args ...string) *process {
	p := &process{cmd: exec.Command("/tutti", args...)}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		inside.Say(false, "start", "%v", err)
	}
	return p
}

// Write implements io.Writer.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log.Write(b)
	for line := range strings.Lines(string(b)) {
		fmt.Printf("  tutti %s: %s\n", p.cmd.Args[1], strings.TrimSpace(line))
	}
	return len(b), nil
}

// says waits for words in the log.
func (p *process) says(words string) bool {
	for range 200 {
		if p.said(words) {
			return true
		}
		time.Sleep(100 * time.Millisecond)
	}
	return false
}

// said looks for words in the log.
func (p *process) said(words string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Contains(p.log.String(), words)
}

// forget begins the log anew.
func (p *process) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log.Reset()
}

func (p *process) end() {
	_ = p.cmd.Process.Signal(os.Interrupt)
	_ = p.cmd.Wait()
}

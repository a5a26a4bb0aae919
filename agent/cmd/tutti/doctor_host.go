package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/agent/output"
	"github.com/tutti-audio/tutti/alsa"
	"github.com/tutti-audio/tutti/internal/hostclock"
)

// resolution looks at the kernel's clock.
func (p *patient) resolution(context.Context) finding {
	var step unix.Timespec
	if err := unix.ClockGetres(unix.CLOCK_MONOTONIC, &step); err != nil || step.Nano() > 1000 {
		return failed("boot a kernel with high-resolution timers (CONFIG_HIGH_RES_TIMERS)", "the clock moves in steps of %v", time.Duration(step.Nano()))
	}
	b, err := os.ReadFile("/sys/devices/system/clocksource/clocksource0/current_clocksource")
	source := strings.TrimSpace(string(b))
	if err != nil {
		source = "an unnamed clock"
	}
	if source == "jiffies" || source == "refined-jiffies" {
		return failed("choose another in /sys/devices/system/clocksource/clocksource0, or boot with clocksource=tsc or hpet", "the clock is %s, which is too coarse", source)
	}
	return good("%s, in steps of %v", source, time.Duration(step.Nano()))
}

// realTime raises a thread as the audio thread is, and looks how late it wakes.
func (p *patient) realTime(context.Context) finding {
	type result struct {
		raised bool
		late   time.Duration
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked: the raised thread ends here
		r := result{raised: hostclock.RaiseThread()}
		for range 100 {
			due := p.clock.Now().Add(time.Millisecond)
			p.clock.SleepUntil(due)
			r.late = max(r.late, p.clock.Now().Sub(due))
		}
		done <- r
	}()
	r := <-done
	late := r.late.Round(time.Microsecond)
	if !r.raised {
		return warning("run it as the systemd service, or allow it: setcap cap_sys_nice+ep on the binary, or rtprio in limits.conf",
			"the audio thread gets no priority; it woke up to %v late just now", late)
	}
	if late > 5*time.Millisecond {
		return warning("end what keeps the processor busy, or choose a longer latency", "a thread with priority woke %v late", late)
	}
	if err := hostclock.LockProgram(); err != nil {
		return warning("run it as the systemd service, or raise memlock in limits.conf to 32 MB",
			"the audio thread gets priority (woke at most %v late), but not the program's pages: %v", late, err)
	}
	return good("the audio thread gets priority and its pages stay in memory; it woke at most %v late", late)
}

// output opens the sound device and closes it again.
func (p *patient) output(context.Context) finding {
	if kind, _, _ := strings.Cut(p.config.Output, ":"); kind == "wav" {
		return good("%s, not touched", p.config.Output)
	}
	d, err := output.Open(p.config.Output, p.clock)
	if err != nil {
		return failed("choose another with --output: alsa[:DEVICE], pulse[:SINK], wav:FILE or null; connect and switch on what it should be", "%v", err)
	}
	f := d.Format()
	_, err = d.Position()
	if err = errors.Join(err, d.Close()); err != nil {
		return failed("unplug and connect the device again, or restart the sound server", "%s: %v", f.Name, err)
	}
	if f.Problem != "" {
		return warning("connect and switch on what it should be", "%s", f.Problem)
	}
	return good("%s, %d Hz, %d ms can be queued, %v at least", f.Name, f.Rate, 1000*f.Buffer/f.Rate, f.Lead.Round(100*time.Microsecond))
}

// cards lists the sound cards that the kernel knows.
func (p *patient) cards(context.Context) finding {
	all, err := alsa.Devices(alsa.Linux{}, false)
	wanted := strings.HasPrefix(p.config.Output, "alsa")
	switch {
	case err != nil:
		return failed("add this user to the group audio, or give the container /dev/snd", "ALSA: %v", err)
	case len(all) == 0 && wanted:
		return failed("connect it; for a DAC hat choose its overlay in config.txt and start again", "the kernel knows no sound card")
	case len(all) == 0:
		return good("none that the kernel knows, and output %s asks for none", p.config.Output)
	}
	said := make([]string, len(all))
	for i, d := range all {
		said[i] = fmt.Sprintf("%v %s (%v)", d.Address, d.CardID, d.Kind)
	}
	return good("%s", strings.Join(said, ", "))
}

// port looks whether the API can be served.
func (p *patient) port(ctx context.Context) finding {
	l, err := net.Listen("tcp", p.config.HTTP.Listen)
	switch {
	case err == nil:
		l.Close()
		return good("%s is free", p.config.HTTP.Listen)
	case errors.Is(err, syscall.EADDRINUSE) && isTutti(ctx, p.config.HTTP.Listen):
		return good("a speaker is running at %s", p.config.HTTP.Listen)
	case errors.Is(err, syscall.EADDRINUSE):
		return failed("end that program, or choose another port with --http :PORT", "%s belongs to another program", p.config.HTTP.Listen)
	}
	return failed("choose another with --http ADDRESS:PORT", "%v", err)
}

// state looks whether settings can be remembered.
func (p *patient) state(context.Context) finding {
	dir := p.config.StateDir
	how := "make it writable for this user, free some space, or choose another with --state-dir"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return failed(how, "settings cannot be remembered: %v", err)
	}
	file, err := os.CreateTemp(dir, ".doctor*")
	if err != nil {
		return failed(how, "settings cannot be remembered: %v", err)
	}
	defer os.Remove(file.Name())
	_, err = file.Write(make([]byte, 4096))
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return failed(how, "settings cannot be remembered: %v", err)
	}
	return good("%s is writable", dir)
}

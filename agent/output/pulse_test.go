package output

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// What is written arrives at the sink in one piece, and the position agrees with
// the server's own account of the monitor.
func TestPulsePosition(t *testing.T) {
	newPulseServer(t)
	for sink, rate := range map[string]int{"room": 44100, "hall": 48000} {
		clock := hostclock.New(0)
		device, err := Open("pulse:"+sink, clock)
		if err != nil {
			t.Fatal(err)
		}
		if device.Format().Rate != rate {
			t.Errorf("%s: rate %d, want %d", sink, device.Format().Rate, rate)
		}
		follow(t, device, newMonitor(t, clock, sink, rate), sink)
		if err := device.Close(); err != nil {
			t.Error(err)
		}
		if _, err := device.Position(); !errors.Is(err, ErrGone) {
			t.Errorf("position of a closed device: %v", err)
		}
	}
}

// follow plays for a while and compares with what the monitor hears.
func follow(t *testing.T, device Device, m *monitor, sink string) {
	f := feeder{device: device}
	f.begin(t, m.clock)
	f.stamps = nil
	if err := f.run(m.clock, time.Second); err != nil {
		t.Fatal(err)
	}
	settled, _ := device.Position()
	var apart []float64 // our frame at the DAC less the monitor's
	for range 25 {
		if err := f.run(m.clock, 60*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		k, at := m.frameAt(t)
		apart = append(apart, f.card.FrameAt(at)-k)
	}
	end, _ := device.Position()
	recorded := m.samples()
	at, frame := find(recorded, len(recorded)/4, end.Written)
	if at < 0 {
		t.Fatalf("%s: what was written is not in the monitor (%d frames)", sink, len(recorded))
	}
	slices.Sort(apart)
	seconds := func(frames float64) time.Duration {
		return time.Duration((frames - float64(int(frame)-at)) / m.rate * 1e9)
	}
	least, median, most := seconds(apart[0]), seconds(apart[len(apart)/2]), seconds(apart[len(apart)-1])
	wrong := 0
	for i := at; i < len(recorded)-4096; i++ {
		if recorded[i] != noise(frame+timebase.Card(i-at)) {
			wrong++
		}
	}
	std, worst := scatter(f.stamps, m.rate)
	ppm, _ := f.card.PPM()
	t.Logf("%s: position less the monitor's: %v to %v, median %v; readings off their line: std %v, max %v; %.1f ppm; xruns %d; lead %v; %d of %d frames wrong",
		sink, least, most, median, std, worst, ppm, end.Xruns-settled.Xruns, device.Format().Lead, wrong, len(recorded)-at)
	if most > monitorError || least.Abs() > 3*time.Millisecond {
		t.Errorf("%s: the position is %v to %v away from the monitor's", sink, least, most)
	}
	if wrong > 0 && end.Xruns == settled.Xruns {
		t.Errorf("%s: %d frames of %d are not what was written, and no xrun was counted", sink, wrong, len(recorded)-at)
	}
}

// pulseStream returns what pactl says of our stream.
func pulseStream(t *testing.T) string {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if s := pactl(t, "list", "sink-inputs"); strings.Contains(s, "Tutti") {
			return s
		}
	}
	t.Fatal("our stream is not listed")
	return ""
}

// The user sees whose stream it is, and no volume is touched.
func TestPulseIntroducesItself(t *testing.T) {
	newPulseServer(t)
	pactl(t, "set-sink-volume", "hall", "30%")
	device, err := Open("pulse:hall", hostclock.New(0))
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	shown := pulseStream(t)
	for _, want := range []string{`media.name = "Tutti"`, `media.role = "music"`, `application.name = "Tutti"`, `application.icon_name = "audio-speakers"`, "float32le 2ch 48000Hz", "100%"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%s is not in:\n%s", want, shown)
		}
	}
	if v := pactl(t, "get-sink-volume", "hall"); !strings.Contains(v, "30%") {
		t.Errorf("the sink's volume was touched: %s", v)
	}
	if _, err := Open("pulse:attic", hostclock.New(0)); err == nil || !strings.Contains(err.Error(), "pactl list short sinks") {
		t.Errorf("unknown sink: %v", err)
	}
}

// gone feeds a device until it is gone and returns the reason.
func gone(t *testing.T, device Device, clock *hostclock.Clock) error {
	t.Helper()
	f := feeder{device: device}
	err := f.run(clock, patience)
	if !errors.Is(err, ErrGone) {
		t.Fatalf("still there after %v: %v", patience, err)
	}
	return err
}

// A sink that goes, a stream that is moved, a sink that is suspended and a server
// that dies: the device is gone, and says why.
func TestPulseGone(t *testing.T) {
	p := newPulseServer(t)
	clock := hostclock.New(0)
	open := func(spec string) Device {
		t.Helper()
		d, err := Open(spec, clock)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Close() })
		return d
	}
	number := strings.TrimSpace(pactl(t, "load-module", "module-null-sink", "sink_name=usb"))
	d := open("pulse:usb")
	pactl(t, "unload-module", number)
	if err := gone(t, d, clock); !strings.Contains(err.Error(), "removed") {
		t.Errorf("sink removed: %v", err)
	}
	if _, err := Open("pulse:usb", clock); err == nil {
		t.Error("opened a sink that is gone")
	}
	d = open("pulse")
	moved := false
	for line := range strings.Lines(pactl(t, "list", "short", "sink-inputs")) {
		index, rest, _ := strings.Cut(line, "\t")
		to := "hall"
		if strings.HasPrefix(rest, "1") {
			to = "room"
		}
		pactl(t, "move-sink-input", index, to)
		moved = true
	}
	if !moved {
		t.Fatal("no stream to move")
	}
	if err := gone(t, d, clock); !strings.Contains(err.Error(), "moved to sink") {
		t.Errorf("moved: %v", err)
	}
	_ = d.Close()
	d = open("pulse:hall")
	pactl(t, "suspend-sink", "hall", "1")
	if err := gone(t, d, clock); !strings.Contains(err.Error(), "suspended") {
		t.Errorf("suspended: %v", err)
	}
	if _, err := Open("pulse:hall", clock); err == nil || !strings.Contains(err.Error(), "suspended") {
		t.Errorf("opened a suspended sink: %v", err)
	}
	pactl(t, "suspend-sink", "hall", "0")
	d = open("pulse:hall")
	p.Stop()
	if err := gone(t, d, clock); !strings.Contains(err.Error(), "gone") {
		t.Errorf("server killed: %v", err)
	}
	if _, err := Open("pulse", clock); err == nil || !strings.Contains(err.Error(), "PULSE_SERVER") {
		t.Errorf("no server: %v", err)
	}
}

// After a pause of the audio thread the frames are numbered as if the card had
// gone on, and the pause is counted.
func TestPulseXrun(t *testing.T) {
	newPulseServer(t)
	clock := hostclock.New(0)
	device, err := Open("pulse:hall", clock)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	f := feeder{device: device}
	f.begin(t, clock)
	if err := f.run(clock, 300*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	before, _ := device.Position()
	m := newMonitor(t, clock, "hall", 48000)
	const pause = 1500 * time.Millisecond
	clock.SleepUntil(clock.Now().Add(pause))
	if err := f.run(clock, time.Second); err != nil {
		t.Fatal(err)
	}
	after, _ := device.Position()
	if after.Xruns == before.Xruns {
		t.Error("an xrun was not counted")
	}
	if went := after.Written - before.Written; float64(went) < pause.Seconds()*48000 {
		t.Errorf("the numbers went on by %d frames in more than %v", went, pause)
	}
	recorded := m.samples()
	if at, frame := find(recorded, len(recorded)*3/4, after.Written); at < 0 || frame < before.Written {
		t.Errorf("nothing is heard after the pause: frame %d at %d", frame, at)
	}
}

// Auto plays nowhere while there is no server, says so, and plays once there is.
func TestAuto(t *testing.T) {
	p := newPulseServer(t)
	clock := hostclock.New(0)
	p.Stop()
	device, err := Open("auto", clock)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	if f := device.Format(); !strings.Contains(f.Problem, "PULSE_SERVER") {
		t.Errorf("the problem is not told: %+v", f)
	}
	p.Start(t)
	if err := gone(t, device, clock); !strings.Contains(err.Error(), "has come") {
		t.Errorf("%v", err)
	}
	found, err := Open("auto", clock)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	if f := found.Format(); f.Problem != "" || !strings.Contains(f.Name, "PulseAudio") {
		t.Errorf("%+v", f)
	}
}

package output

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jfreymuth/pulse/proto"

	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/sync/servo"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const patience = 30 * time.Second

// pulseServer is a PulseAudio server of the test's own with two null sinks.
type pulseServer struct {
	dir string
	cmd *exec.Cmd
}

func newPulseServer(t *testing.T) *pulseServer {
	t.Helper()
	for _, tool := range []string{"pulseaudio", "pactl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	dir, err := os.MkdirTemp("", "tutti-pulse") // short: a socket's path is limited
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	t.Setenv("PULSE_SERVER", "unix:"+filepath.Join(dir, "native"))
	t.Setenv("PULSE_RUNTIME_PATH", filepath.Join(dir, "run"))
	t.Setenv("HOME", dir)
	p := &pulseServer{dir: dir}
	p.start(t)
	t.Cleanup(p.stop)
	return p
}

// start begins the server and waits until it answers.
func (p *pulseServer) start(t *testing.T) {
	t.Helper()
	p.cmd = exec.Command("pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--log-level=error",
		"-L", "module-null-sink sink_name=room rate=44100 channels=2 format=float32le",
		"-L", "module-null-sink sink_name=hall rate=48000 channels=2 format=float32le",
		"-L", "module-native-protocol-unix auth-anonymous=1 socket="+filepath.Join(p.dir, "native"))
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if exec.Command("pactl", "info").Run() == nil {
			return
		}
	}
	t.Fatal("the PulseAudio server does not answer")
}

func (p *pulseServer) stop() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		p.cmd = nil
	}
}

func pactl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("pactl", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("pactl %v: %v: %s", args, err, out)
	}
	return string(out)
}

// noise is a sample that tells its own number.
func noise(frame timebase.Card) float32 {
	x := uint64(frame)*0x9E3779B97F4A7C15 + 1
	x ^= x >> 29
	x *= 0xBF58476D1CE4E5B9
	x ^= x >> 32
	return float32(int32(uint32(x))>>8) / (1 << 24)
}

// feeder keeps a device fed with noise, as the audio thread does.
type feeder struct {
	device Device
	card   *servo.Card
	stamps []Position // each reading once
	from   timebase.Card
}

// run feeds until the deadline or an error. Each frame holds noise of its number.
func (f *feeder) run(clock *hostclock.Clock, length time.Duration) error {
	format := f.device.Format()
	if f.card == nil {
		f.card = servo.NewCard(format.Rate, 0, 0)
	}
	pcm := make([]float32, format.Buffer*Channels)
	fill := max(40*time.Millisecond, format.Lead)
	for end := clock.Now().Add(length); clock.Now() < end; time.Sleep(fill / 4) {
		pos, err := f.device.Position()
		if err != nil {
			return err
		}
		if n := len(f.stamps); n == 0 || f.stamps[n-1].At != pos.At {
			f.stamps = append(f.stamps, pos)
			f.card.Add(servo.Reading{Played: pos.Played, At: pos.At})
		}
		queued := float64(pos.Written) - f.card.FrameAt(clock.Now())
		frames := min(int(fill.Seconds()*float64(format.Rate)-queued), format.Buffer)
		for i := range max(0, frames) {
			pcm[2*i], pcm[2*i+1] = noise(pos.Written+timebase.Card(i)), 0.25
		}
		if frames > 0 {
			if _, err := f.device.Write(pcm[:frames*Channels]); err != nil {
				return err
			}
		}
	}
	return nil
}

// monitorError is how wrong the server's record timing is: it moves by the blocks
// in which the sink renders, and leaves out what is held back for rewinding.
const monitorError = 12 * time.Millisecond

// monitor records what a null sink plays, and when each frame left its DAC by the
// server's record timing, which shares nothing with our reckoning but the server.
type monitor struct {
	conn   *pulseConn
	clock  *hostclock.Clock
	stream uint32
	rate   float64

	mu  sync.Mutex
	raw []byte
}

func newMonitor(t *testing.T, clock *hostclock.Clock, sink string, rate int) *monitor {
	t.Helper()
	conn, err := dialPulse()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.close)
	m := &monitor{conn: conn, clock: clock, rate: float64(rate)}
	conn.client.Callback = func(message any) {
		if d, ok := message.(*proto.DataPacket); ok {
			m.mu.Lock()
			m.raw = append(m.raw, d.Data...)
			m.mu.Unlock()
		}
	}
	var reply proto.CreateRecordStreamReply
	err = conn.client.Request(&proto.CreateRecordStream{
		SampleSpec: proto.SampleSpec{Format: proto.FormatFloat32LE, Channels: Channels, Rate: uint32(rate)},
		ChannelMap: proto.ChannelMap{proto.ChannelFrontLeft, proto.ChannelFrontRight}, ChannelVolumes: proto.ChannelVolumes{0x10000, 0x10000},
		SourceIndex: proto.Undefined, SourceName: sink + ".monitor", DirectOnInputIndex: proto.Undefined,
		BufferMaxLength: proto.Undefined, BufferFragSize: 4096, AdjustLatency: true,
	}, &reply)
	if err != nil {
		t.Fatal(err)
	}
	m.stream = reply.StreamIndex
	return m
}

// frameAt returns which of its frames left the DAC at a local instant.
func (m *monitor) frameAt(t *testing.T) (frame float64, at timebase.Local) {
	t.Helper()
	var r proto.GetRecordLatencyReply
	before := m.clock.Now()
	if err := m.conn.client.Request(&proto.GetRecordLatency{StreamIndex: m.stream}, &r); err != nil {
		t.Fatal(err)
	}
	after := m.clock.Now()
	p := pulse{clock: m.clock}
	frame = float64(r.WriteIndex/pulseFrame) + (float64(r.Latency)-float64(r.MonitorLatency))*1e-6*m.rate
	return frame, p.stamped(r.ReplyTime, before, after)
}

// samples returns the left channel so far.
func (m *monitor) samples() []float32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	left := make([]float32, len(m.raw)/pulseFrame)
	for i := range left {
		left[i] = math.Float32frombits(binary.LittleEndian.Uint32(m.raw[i*pulseFrame:]))
	}
	return left
}

// find returns which frame of the noise is in the recording at or after place,
// and where.
func find(recorded []float32, place int, last timebase.Card) (at int, frame timebase.Card) {
	numbers := make(map[float32]timebase.Card, last)
	for n := range last {
		numbers[noise(n)] = n
	}
	for at = place; at+1 < len(recorded); at++ {
		if n, ok := numbers[recorded[at]]; ok && recorded[at+1] == noise(n+1) {
			return at, n
		}
	}
	return -1, 0
}

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
		m := newMonitor(t, clock, sink, rate)
		f := feeder{device: device}
		if err := f.run(clock, time.Second); err != nil {
			t.Fatal(err)
		}
		settled, _ := device.Position()
		var ours, theirs []float64
		for range 25 {
			if err := f.run(clock, 60*time.Millisecond); err != nil {
				t.Fatal(err)
			}
			k, at := m.frameAt(t)
			ours, theirs = append(ours, f.card.FrameAt(at)), append(theirs, k)
		}
		end, _ := device.Position()
		recorded := m.samples()
		at, frame := find(recorded, len(recorded)/4, end.Written)
		if at < 0 {
			t.Fatalf("%s: what was written is not in the monitor (%d frames)", sink, len(recorded))
		}
		apart := make([]time.Duration, len(ours))
		for i := range ours {
			d := ours[i] - (theirs[i] + float64(int(frame)-at))
			apart[i] = time.Duration(d / float64(rate) * 1e9)
		}
		slices.Sort(apart)
		worst := max(-apart[0], apart[len(apart)-1])
		gaps := 0
		for i := at; i < len(recorded)-4096; i++ {
			if recorded[i] != noise(frame+timebase.Card(i-at)) {
				gaps++
			}
		}
		std, most := scatter(f.stamps, rate)
		ppm, _ := f.card.PPM()
		t.Logf("%s: position against the monitor: median %v, at most %v apart; readings off their line: std %v, max %v; %.1f ppm; xruns %d; lead %v; %d of %d frames wrong",
			sink, apart[len(apart)/2], worst, std, most, ppm, end.Xruns-settled.Xruns, device.Format().Lead, gaps, len(recorded)-at)
		if worst > monitorError {
			t.Errorf("%s: the position is %v away from the monitor's", sink, worst)
		}
		if gaps > 0 && end.Xruns == settled.Xruns {
			t.Errorf("%s: %d frames of %d are not what was written, and no xrun was counted", sink, gaps, len(recorded)-at)
		}
		if err := device.Close(); err != nil {
			t.Error(err)
		}
		if _, err := device.Position(); !errors.Is(err, ErrGone) {
			t.Errorf("position of a closed device: %v", err)
		}
	}
}

// scatter is how far readings lie off a straight line through them.
func scatter(readings []Position, rate int) (std, most time.Duration) {
	readings = readings[len(readings)/4:]
	first := readings[0]
	var sx, sy, sxx, sxy float64
	n := float64(len(readings))
	for _, r := range readings {
		x, y := float64(r.At-first.At), float64(r.Played-first.Played)/float64(rate)*1e9
		sx, sy, sxx, sxy = sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	slope := (n*sxy - sx*sy) / (n*sxx - sx*sx)
	base := (sy - slope*sx) / n
	sum := 0.0
	for _, r := range readings {
		x, y := float64(r.At-first.At), float64(r.Played-first.Played)/float64(rate)*1e9
		d := y - base - slope*x
		sum += d * d
		most = max(most, time.Duration(math.Abs(d)))
	}
	return time.Duration(math.Sqrt(sum / n)), most
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
	p.stop()
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
	p.stop()
	device, err := Open("auto", clock)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	if f := device.Format(); !strings.Contains(f.Problem, "PULSE_SERVER") {
		t.Errorf("the problem is not told: %+v", f)
	}
	p.start(t)
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

package output

import (
	"encoding/binary"
	"math"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/jfreymuth/pulse/proto"

	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/internal/pulsetest"
	"github.com/tutti-audio/tutti/sync/servo"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const patience = 30 * time.Second

// newPulseServer starts a PulseAudio server of the test's own with two null sinks.
func newPulseServer(t *testing.T) *pulsetest.Server {
	t.Helper()
	s := pulsetest.New(t, "sink_name=room rate=44100 channels=2 format=float32le", "sink_name=hall rate=48000 channels=2 format=float32le")
	s.Start(t)
	return s
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
			if _, err := f.device.Write(pos.Written, pcm[:frames*Channels]); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin feeds until the first frames have left the DAC: a sink that was just made
// may hold two seconds of silence.
func (f *feeder) begin(t *testing.T, clock *hostclock.Clock) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		if err := f.run(clock, 50*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if f.stamps[len(f.stamps)-1].Played > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no frame leaves the DAC")
		}
	}
}

// monitorError is by how much the server's record timing lags at most: it leaves
// out what is held back for rewinding, up to a block of the sink's.
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

// scatter is how far readings lie off a straight line through them.
func scatter(readings []Position, rate float64) (std, most time.Duration) {
	readings = readings[len(readings)/4:]
	first := readings[0]
	var sx, sy, sxx, sxy float64
	n := float64(len(readings))
	for _, r := range readings {
		x, y := float64(r.At-first.At), float64(r.Played-first.Played)/rate*1e9
		sx, sy, sxx, sxy = sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	slope := (n*sxy - sx*sy) / (n*sxx - sx*sx)
	base := (sy - slope*sx) / n
	sum := 0.0
	for _, r := range readings {
		x, y := float64(r.At-first.At), float64(r.Played-first.Played)/rate*1e9
		d := y - base - slope*x
		sum += d * d
		most = max(most, time.Duration(math.Abs(d)))
	}
	return time.Duration(math.Sqrt(sum / n)), most
}

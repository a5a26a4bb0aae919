package output

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jfreymuth/pulse/proto"

	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const (
	pulseBuffer  = 250 * time.Millisecond // that may be queued, ours and the server's
	pulseTarget  = 15 * time.Millisecond  // asked of the server: two thirds of it in the sink
	pulseRequest = 2500 * time.Microsecond
	pulseWake    = 20 * time.Millisecond // by which the server's threads, or ours, may be late
	pulseStuck   = 5 * time.Second       // without the sink taking a frame; one that was just made may hold 2 s of silence
	pulsePiece   = 32 << 10              // bytes sent at once, at most
	pulseFrame   = 4 * Channels          // bytes
)

// pulse is a stream to a sink of a PulseAudio server.
//
// The stream has no prebuffer: the server takes frames from it at the sink's pace
// whether or not there are any, and drops those that come too late for their
// place, so that its read index is a clock that never stops, like a card's own.
//
// The audio thread writes into a queue, which a goroutine sends on; another asks
// the server for the stream's timing, as Position says.
type pulse struct {
	conn   *pulseConn
	clock  *hostclock.Clock
	format Format
	stream uint32
	queue  *sendQueue

	started chan struct{} // closed when the sink takes its first frame

	written timebase.Card // the audio thread's
	reading atomic.Pointer[pulseReading]
	wait    sync.WaitGroup
}

// pulseReading says that played frames had left the DAC at at.
type pulseReading struct {
	played timebase.Card
	at     timebase.Local
}

// openPulse opens a stream to the named sink, or to the one that the server
// chooses. A stream to a named sink stays there: when the sink goes, the device
// is gone.
func openPulse(sink string, clock *hostclock.Clock) (Device, error) {
	conn, err := dialPulse()
	if err != nil {
		return nil, err
	}
	p := &pulse{conn: conn, clock: clock, started: make(chan struct{})}
	if err := p.create(sink); err != nil {
		conn.close()
		return nil, err
	}
	p.queue = newSendQueue(p.format.Buffer)
	p.wait.Go(p.send)
	p.wait.Go(p.poll)
	return p, nil
}

// create makes the stream.
func (p *pulse) create(sink string) error {
	name := sink
	if name == "" {
		name = "@DEFAULT_SINK@"
	}
	var info proto.GetSinkInfoReply
	if err := p.conn.client.Request(&proto.GetSinkInfo{SinkIndex: proto.Undefined, SinkName: name}, &info); err != nil {
		return fmt.Errorf("output pulse: the server knows no sink %q (%w): choose one that `pactl list short sinks` shows", name, err)
	}
	rate := timebase.Rate
	if slices.Contains([]uint32{44100, 48000, 88200, 96000}, info.Rate) {
		rate = int(info.Rate)
	}
	request := playbackRequest(sink, rate)
	var reply proto.CreatePlaybackStreamReply
	if err := p.conn.client.Request(request, &reply); err != nil {
		return fmt.Errorf("output pulse: the server refuses to play on %q: %w", name, err)
	}
	p.stream = reply.StreamIndex
	p.format = Format{
		Name: "PulseAudio, " + info.SinkName, Rate: rate, Buffer: int(pulseBuffer.Seconds() * float64(rate)),
		Lead: time.Duration(reply.SinkLatency)*time.Microsecond + pulseWake,
	}
	if reply.SinkSuspended {
		return fmt.Errorf("output pulse: sink %q is suspended: see `pactl list sinks`", info.SinkName)
	}
	_, err := p.ask()
	return err
}

// playbackRequest asks for a stream whose volume is the sink's or what the user
// last gave it.
func playbackRequest(sink string, rate int) *proto.CreatePlaybackStream {
	bytes := func(d time.Duration) uint32 { return uint32(d.Seconds()*float64(rate)) * pulseFrame }
	return &proto.CreatePlaybackStream{
		SampleSpec: proto.SampleSpec{Format: proto.FormatFloat32LE, Channels: Channels, Rate: uint32(rate)},
		ChannelMap: proto.ChannelMap{proto.ChannelFrontLeft, proto.ChannelFrontRight},
		SinkIndex:  proto.Undefined, SinkName: sink, NoMove: sink != "",
		BufferMaxLength: proto.Undefined, BufferTargetLength: bytes(pulseTarget), BufferMinimumRequest: bytes(pulseRequest),
		ChannelVolumes: proto.ChannelVolumes{uint32(proto.VolumeNorm), uint32(proto.VolumeNorm)},
		Properties: proto.PropList{
			"media.name": proto.PropListString("Tutti"), "media.role": proto.PropListString("music"),
		},
	}
}

// Format implements Device.
func (p *pulse) Format() Format { return p.format }

// Write implements Device.
func (p *pulse) Write(at timebase.Card, pcm []float32) (int, error) {
	if err := p.conn.lost(); err != nil {
		return 0, err
	}
	late := tooLate(at, p.written, pcm)
	pcm = pcm[late*Channels:]
	room := p.format.Buffer - int(float64(p.written)-p.playedAt(p.clock.Now()))
	frames := p.queue.push(pcm[:max(0, min(room*Channels, len(pcm)))])
	p.written += timebase.Card(frames)
	return late + frames, nil
}

// Position implements Device: what the server last said. What the stream had
// given to the sink, less what waited in the sink, is what had left the DAC when
// the server looked. It stamps its answer after it has looked, so the position may
// look late, never early; server and stamps round to a microsecond, also on that
// side. A sink whose own latency is smoothed (ALSA with timer scheduling) errs to
// both sides, by tenths of a millisecond; the early ones win. A reading is
// repeated until there is another, since what lies between them is for
// servo.Card to say.
func (p *pulse) Position() (Position, error) {
	if err := p.conn.lost(); err != nil {
		return Position{}, err
	}
	now := p.playedAt(p.clock.Now())
	if gap := timebase.Card(math.Ceil(now)) - p.written; gap > 0 { // ran dry
		p.queue.skip(int(gap))
		p.written += gap
	}
	r := p.reading.Load()
	return Position{Played: r.played, At: r.at, Written: p.written, Xruns: p.conn.xruns.Load()}, nil
}

// playedAt is how many frames have left the DAC, by the sink's nominal rate.
func (p *pulse) playedAt(l timebase.Local) float64 {
	r := p.reading.Load()
	return float64(r.played) + l.Sub(r.at).Seconds()*float64(p.format.Rate)
}

// Close implements Device.
func (p *pulse) Close() error {
	p.conn.close()
	p.wait.Wait()
	return nil
}

// send passes the queue on to the server, once the sink takes frames: earlier ones
// would make it go back over what it has rendered, and a null sink's clock with
// it.
func (p *pulse) send() {
	select {
	case <-p.conn.gone:
		return
	case <-p.started:
	}
	piece := make([]byte, 0, pulsePiece)
	for {
		select {
		case <-p.conn.gone:
			return
		case <-p.queue.news:
		}
		for piece = p.queue.take(piece[:0]); len(piece) > 0; piece = p.queue.take(piece[:0]) {
			if err := p.conn.client.Send(p.stream, piece); err != nil {
				p.conn.lose(err)
				return
			}
		}
	}
}

// sendQueue is frames on their way to the server, bounded. What is skipped is
// sent as silence, which the server drops since its time is over.
type sendQueue struct {
	news chan struct{}

	mu      sync.Mutex
	ring    []float32
	first   int // of the samples held
	held    int
	skipped int // frames, before those
}

func newSendQueue(frames int) *sendQueue {
	return &sendQueue{ring: make([]float32, frames*Channels), news: make(chan struct{}, 1)}
}

// push appends frames and returns how many there was room for.
func (q *sendQueue) push(pcm []float32) (frames int) {
	q.mu.Lock()
	n := min(len(pcm), len(q.ring)-q.held)
	for done := 0; done < n; {
		at := (q.first + q.held) % len(q.ring)
		did := copy(q.ring[at:], pcm[done:n])
		done += did
		q.held += did
	}
	q.mu.Unlock()
	q.tell()
	return n / Channels
}

// skip leaves frames out; those that are still held are too late as well.
func (q *sendQueue) skip(frames int) {
	q.mu.Lock()
	q.skipped += frames + q.held/Channels
	q.held = 0
	q.mu.Unlock()
	q.tell()
}

func (q *sendQueue) tell() {
	select {
	case q.news <- struct{}{}:
	default:
	}
}

// take appends the next frames to dst, which keeps its capacity, as the server
// reads them.
func (q *sendQueue) take(dst []byte) []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	room := cap(dst) / pulseFrame
	if zeros := min(room, q.skipped); zeros > 0 {
		q.skipped -= zeros
		dst = dst[:zeros*pulseFrame]
		clear(dst)
		return dst
	}
	n := min(room*Channels, q.held)
	for i := range n {
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(q.ring[(q.first+i)%len(q.ring)]))
	}
	q.first = (q.first + n) % len(q.ring)
	q.held -= n
	return dst
}

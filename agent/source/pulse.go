package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/jfreymuth/pulse/proto"
)

const (
	pulseTarget   = 20 * time.Millisecond // fill of the ring
	pulseFragment = 5 * time.Millisecond  // pieces the server sends
	pulseTimeout  = 3 * time.Second       // for a request
	pulseBackoff  = 250 * time.Millisecond
	pulseLongest  = 8 * time.Second // between attempts to reconnect
)

// pulseCapture feeds a live source from a PulseAudio server, at the rate of the
// server's source, so that only our own resampler touches the audio.
type pulseCapture struct {
	live   *live
	source string // as the server names it
	spec   proto.SampleSpec
	chans  proto.ChannelMap
	mix    *mixer
	log    *slog.Logger
	quit   chan struct{}
	done   chan struct{}
	pcm    []float32 // buffers of the receiving goroutine
	mixed  []float32
}

// openPulse captures "pulse", "pulse:NAME", "pulse:monitor" or
// "pulse:NAME.monitor".
func openPulse(ctx context.Context, in, name string, opt Options) (Source, error) {
	switch name {
	case "":
		name = "@DEFAULT_SOURCE@"
	case "monitor":
		name = "@DEFAULT_MONITOR@"
	}
	c := &pulseCapture{source: name, log: opt.Log, quit: make(chan struct{}), done: make(chan struct{})}
	conn, err := dialPulse(ctx)
	if err != nil {
		return nil, err
	}
	var info proto.GetSourceInfoReply
	err = conn.client.Request(&proto.GetSourceInfo{SourceIndex: proto.Undefined, SourceName: name}, &info)
	if err != nil {
		conn.close()
		return nil, fmt.Errorf("input %q: the PulseAudio server knows no source %q (%w): choose one that `pactl list short sources` shows", in, name, err)
	}
	c.spec, c.chans = info.SampleSpec, info.ChannelMap
	c.spec.Format = proto.FormatFloat32LE
	if n := int(c.spec.Channels); n < 1 || n > maxChannels || c.spec.Rate < 8000 || c.spec.Rate > 384000 {
		conn.close()
		return nil, fmt.Errorf("input %q has %d channels at %d Hz: Tutti takes 1 to 8 channels at 8000 to 384000 Hz", in, n, c.spec.Rate)
	}
	channels := opt.Channels
	if channels == 0 {
		channels = int(c.spec.Channels)
	}
	c.mix = newMixer(int(c.spec.Channels), channels)
	c.live = newLive(in, int(c.spec.Rate), channels, pulseTarget)
	c.live.stop = c.close
	if err := c.record(conn); err != nil {
		conn.close()
		return nil, fmt.Errorf("input %q: %w", in, err)
	}
	go c.run(conn)
	return c.live, nil
}

// record starts a stream on a connection.
func (c *pulseCapture) record(conn *pulseConn) error {
	volumes := make(proto.ChannelVolumes, len(c.chans))
	for i := range volumes {
		volumes[i] = 0x10000
	}
	frame := uint32(4 * int(c.spec.Channels))
	conn.receive(c.receive)
	err := conn.client.Request(&proto.CreateRecordStream{
		SampleSpec: c.spec, ChannelMap: c.chans,
		SourceIndex: proto.Undefined, SourceName: c.source,
		BufferMaxLength: proto.Undefined, DirectOnInputIndex: proto.Undefined,
		BufferFragSize: uint32(pulseFragment.Seconds()*float64(c.spec.Rate)) * frame,
		AdjustLatency:  true, ChannelVolumes: volumes,
		Properties: proto.PropList{"media.name": proto.PropListString("Tutti")},
	}, &proto.CreateRecordStreamReply{})
	if err != nil {
		return fmt.Errorf("PulseAudio refuses to record from %q: %w", c.source, err)
	}
	c.live.connected(true)
	return nil
}

// receive takes a packet of audio; it must not wait.
func (c *pulseCapture) receive(data []byte) {
	c.pcm = f32.append(c.pcm[:0], data)
	c.mixed = c.mix.append(c.mixed[:0], c.pcm)
	c.live.feed(c.mixed, nil)
}

// run waits for the connection to end and makes another, until Close.
func (c *pulseCapture) run(conn *pulseConn) {
	defer close(c.done)
	for {
		select {
		case <-c.quit:
			conn.close()
			return
		case <-conn.gone:
		}
		conn.close()
		c.live.connected(false)
		c.log.Warn("the PulseAudio server is gone; silence until it is back", "input", c.live.name)
		if conn = c.reconnect(); conn == nil {
			return
		}
		c.log.Info("the PulseAudio server is back", "input", c.live.name)
	}
}

// reconnect tries until it has a stream, waiting longer each time; nil means
// Close.
func (c *pulseCapture) reconnect() *pulseConn {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-c.quit:
			cancel()
		case <-ctx.Done():
		}
	}()
	for wait := pulseBackoff; ; wait = min(2*wait, pulseLongest) {
		select {
		case <-c.quit:
			return nil
		case <-time.After(wait):
		}
		conn, err := dialPulse(ctx)
		if err == nil {
			if err = c.record(conn); err == nil {
				return conn
			}
			conn.close()
		}
		c.log.Debug("reconnect to PulseAudio", "error", err)
	}
}

func (c *pulseCapture) close() error {
	close(c.quit)
	<-c.done
	return nil
}

// pulseConn is a connection that tells when it is gone.
type pulseConn struct {
	net.Conn
	client *proto.Client
	gone   chan struct{}
	once   sync.Once

	mu     sync.Mutex
	handle func([]byte)
}

// Read notices the end of the connection.
func (c *pulseConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		c.lost()
	}
	return n, err
}

func (c *pulseConn) lost() { c.once.Do(func() { close(c.gone) }) }

// receive sets what takes the audio.
func (c *pulseConn) receive(handle func([]byte)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handle = handle
}

// message is called by the client's goroutine.
func (c *pulseConn) message(m any) {
	switch m := m.(type) {
	case *proto.DataPacket:
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.handle != nil {
			c.handle(m.Data)
		}
	case *proto.RecordStreamKilled, *proto.ConnectionClosed:
		c.lost()
	}
}

// close ends the connection; afterwards no audio is taken any more.
func (c *pulseConn) close() {
	c.receive(nil)
	_ = c.Conn.Close() //nolint:staticcheck // the embedded one, not ours
}

// dialPulse connects to the user's server and introduces us.
func dialPulse(ctx context.Context) (*pulseConn, error) {
	var problems []error
	for _, a := range pulseAddresses() {
		var d net.Dialer
		conn, err := d.DialContext(ctx, a.network, a.address)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		c := &pulseConn{Conn: conn, client: new(proto.Client), gone: make(chan struct{})}
		c.client.SetTimeout(pulseTimeout)
		c.client.Callback = c.message
		c.client.Open(io.ReadWriter(c))
		if err := greetPulse(c.client); err != nil {
			c.close()
			problems = append(problems, err)
			continue
		}
		return c, nil
	}
	return nil, fmt.Errorf("no PulseAudio server answers: start one, or name it in PULSE_SERVER: %w", errors.Join(problems...))
}

package lan

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/internal/udp"
	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/codec"
	"github.com/tutti-audio/tutti/ostp/describe"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// Source is where a sender's audio comes from: interleaved float32 at 48 kHz.
// Read returns io.EOF at the end.
type Source interface {
	Channels() int
	Read(dst []float32) (frames int, err error)
}

// SenderConfig is what a sender is made of.
type SenderConfig struct {
	Channel   string
	Name      string // of this host, for people
	Source    Source
	Codec     codec.Params // Channels is taken from Source
	Latency   time.Duration
	Interface string         // to send from; empty: the first that can
	Group     netip.AddrPort // zero: by the channel's name
	ClockPort uint16         // 0: DefaultClock, or any when that is taken
	HTTP      uint16         // port that Handler is served on
	// Also, if not nil, is called with each packet as it leaves. It must not wait or
	// keep the bytes.
	Also  func(packet []byte)
	Clock *hostclock.Clock
	Log   *slog.Logger
}

// Sender sends one stream until its source ends or it is closed.
type Sender struct {
	config  SenderConfig
	stream  describe.Stream
	house   houseClock
	origin  atomic.Pointer[netip.Addr] // what media is sent from
	media   atomic.Pointer[udp.Conn]
	answers *udp.Conn // time requests and reports
	encoder codec.Encoder
	pcm     []float32
	payload []byte
	packet  []byte

	tags        atomic.Pointer[Tags]
	receivers   *receivers
	sentPackets atomic.Uint64
	sentBytes   atomic.Uint64
	lateBy      atomic.Int64
	skipped     atomic.Uint64
	refused     atomic.Uint64
	flooded     rateLimited

	bitrate atomic.Int64 // wanted; 0: as it is
	closing atomic.Bool
	quit    chan struct{}
	once    sync.Once
	ended   chan struct{} // the source has ended
	err     error
	wait    sync.WaitGroup
}

// Tags say what is playing, with its picture.
type Tags struct {
	describe.Tags
	Picture     []byte
	PictureType string // MIME type
}

// Progress is how far a sender is.
type Progress struct {
	Packets, Bytes uint64
	Sent           time.Duration // media time sent
	Late           time.Duration // by which the last packet left late
	Skipped        uint64        // times the sender fell so far behind that it left media out
	Refused        uint64        // requests to the clock port beyond what a speaker may ask
	Receivers      int
}

// houseClock is local time with an epoch fixed at start: a step of the wall
// clock does not reach it.
type houseClock struct{ difference int64 }

func (h houseClock) at(l timebase.Local) timebase.House {
	return timebase.House(int64(l) + h.difference)
}
func (h houseClock) local(t timebase.House) timebase.Local {
	return timebase.Local(int64(t) - h.difference)
}

// NewSender opens the sockets and starts to send.
func NewSender(c SenderConfig) (*Sender, error) {
	c.Codec.Channels = c.Source.Channels()
	encoder, err := codec.NewEncoder(c.Codec)
	if err != nil {
		return nil, err
	}
	if err := ostp.CheckChannel(c.Channel); err != nil {
		return nil, err
	}
	s := &Sender{
		config: c, encoder: encoder, receivers: newReceivers(), quit: make(chan struct{}), ended: make(chan struct{}),
		pcm: make([]float32, c.Codec.Frames*c.Codec.Channels), packet: make([]byte, 0, ostp.MaxPacket),
	}
	s.house = houseClock{difference: c.Clock.Wall() - int64(c.Clock.Now())}
	if err := s.open(); err != nil {
		return nil, err
	}
	s.SetTags(Tags{})
	for _, run := range []func(){s.pace, s.answer, s.report} {
		s.wait.Go(run)
	}
	return s, nil
}

// open makes the sockets and the description.
func (s *Sender) open() error {
	c := s.config
	ifi, local, err := udp.Multicast(c.Interface)
	if err != nil {
		return err
	}
	group := c.Group
	if !group.IsValid() {
		group = netip.AddrPortFrom(GroupFor(c.Channel), DefaultPort)
		if local.Is6() {
			group = netip.AddrPortFrom(GroupFor6(c.Channel), DefaultPort)
		}
	}
	if err := s.sendFrom(ifi, local); err != nil {
		return err
	}
	if s.answers, err = listenClock(c, ifi.Name); err != nil {
		s.media.Load().Close()
		return err
	}
	var random [12]byte
	_, _ = rand.Read(random[:])
	lead := timebase.House(100 * time.Millisecond)
	epoch := s.house.at(c.Clock.Now()) + lead
	s.stream = describe.Stream{
		Channel: c.Channel, Name: c.Name,
		SSRC: binary.BigEndian.Uint32(random[:]), StreamID: 1 + binary.BigEndian.Uint16(random[4:])%0x3FF,
		Codec: c.Codec.Type, Channels: c.Codec.Channels, Frames: c.Codec.Frames, Bits: c.Codec.Bits,
		Group: group.Addr(), Port: group.Port(), RTCP: group.Port() + 1, Clock: s.answers.Port(), HTTP: c.HTTP,
		Latency: c.Latency,
		Epoch:   epoch - epoch%describe.EpochStep, Offset: binary.BigEndian.Uint32(random[6:]),
	}
	return nil
}

// listenClock opens the port for time requests and reports.
func listenClock(c SenderConfig, ifi string) (*udp.Conn, error) {
	ports := []uint16{c.ClockPort}
	if c.ClockPort == 0 {
		ports = []uint16{DefaultClock, 0}
	}
	var err error
	for _, port := range ports {
		var conn *udp.Conn
		if conn, err = udp.Listen(netip.AddrPortFrom(netip.IPv6Unspecified(), port), udp.Options{Sent: true}, c.Clock); err == nil {
			return conn, nil
		}
		if conn, err = udp.Listen(netip.AddrPortFrom(netip.IPv4Unspecified(), port), udp.Options{Sent: true}, c.Clock); err == nil {
			return conn, nil
		}
	}
	return nil, fmt.Errorf("cannot open clock port %d on %s: %w; choose another", c.ClockPort, ifi, err)
}

// Stream returns the description with the present tags.
func (s *Sender) Stream() describe.Stream {
	d := s.stream
	d.Origin, d.Tags = *s.origin.Load(), s.tags.Load().Tags
	return d
}

// SetBitrate changes the bitrate of Opus, in bits per second, from the next packet on.
// Other codecs have none.
func (s *Sender) SetBitrate(bitrate int) { s.bitrate.Store(int64(bitrate)) }

// steer does what SetBitrate wants. It belongs to the goroutine that paces.
func (s *Sender) steer() {
	bitrate := s.bitrate.Swap(0)
	e, ok := s.encoder.(codec.Steered)
	if bitrate == 0 || !ok {
		return
	}
	if err := e.SetBitrate(int(bitrate)); err != nil {
		s.config.Log.Warn("the bitrate stays", "error", err)
	}
}

// SetTags says what is playing from now on.
func (s *Sender) SetTags(t Tags) {
	t.Artwork = len(t.Picture) > 0
	s.tags.Store(&t)
}

// Progress returns how far the sender is.
func (s *Sender) Progress() Progress {
	packets := s.sentPackets.Load()
	return Progress{
		Packets: packets, Bytes: s.sentBytes.Load(), Sent: timebase.Media(packets * uint64(s.config.Codec.Frames)).Duration(),
		Late: time.Duration(s.lateBy.Load()), Skipped: s.skipped.Load(), Refused: s.refused.Load(), Receivers: s.receivers.count(),
	}
}

// Ended is closed when the source has ended and the last packet has been sent.
func (s *Sender) Ended() <-chan struct{} { return s.ended }

// Err returns why the source ended; nil after a plain end.
func (s *Sender) Err() error {
	<-s.ended
	if errors.Is(s.err, io.EOF) {
		return nil
	}
	return s.err
}

// Close says goodbye, closes the sockets and waits.
func (s *Sender) Close() error {
	s.once.Do(func() {
		s.closing.Store(true)
		close(s.quit)
		s.goodbye()
		s.media.Load().Close()
		s.answers.Close()
	})
	s.wait.Wait()
	return nil
}

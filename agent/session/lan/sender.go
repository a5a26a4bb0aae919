package lan

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/codec"
	"github.com/tutti-audio/tutti/ostp/control"
	"github.com/tutti-audio/tutti/ostp/describe"
	"github.com/tutti-audio/tutti/sync/course"
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
	outlet
	config  SenderConfig
	encoder codec.Encoder
	pcm     []float32
	payload []byte
	packet  []byte
	lateBy  atomic.Int64
	skipped atomic.Uint64
	bitrate atomic.Int64 // wanted; 0: as it is

	ended chan struct{} // the source has ended
	err   error
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
	s := &Sender{config: c, encoder: encoder, ended: make(chan struct{}), pcm: make([]float32, c.Codec.Frames*c.Codec.Channels), packet: make([]byte, 0, ostp.MaxPacket)}
	s.outlet = outlet{ifi: c.Interface, clock: c.Clock, log: c.Log, receivers: newReceivers(), quit: make(chan struct{}), leg: itself, said: nothing, heard: always}
	house := &houseClock{origin: c.Clock.Now(), house: timebase.House(c.Clock.Wall())}
	s.house.Store(house)
	s.describe(house)
	if err := s.open(c.Group, c.ClockPort); err != nil {
		return nil, err
	}
	s.SetTags(Tags{})
	for _, run := range []func(){s.pace, s.answer, s.report} {
		s.wait.Go(run)
	}
	return s, nil
}

// Of a sender, the stream's time is the house's, and it sends whether anybody listens
// or not.
func itself(timebase.House) course.Leg { return course.Leg{} }
func nothing() *control.Gateway        { return nil }
func always() bool                     { return true }

// describe says what leaves when.
func (s *Sender) describe(house *houseClock) {
	c := s.config
	var random [12]byte
	_, _ = rand.Read(random[:])
	epoch := house.house.Add(100 * time.Millisecond)
	s.stream = describe.Stream{
		Channel: c.Channel, Name: c.Name,
		SSRC: binary.BigEndian.Uint32(random[:]), StreamID: 1 + binary.BigEndian.Uint16(random[4:])%0x3FF,
		Codec: c.Codec.Type, Channels: c.Codec.Channels, Frames: c.Codec.Frames, Bits: c.Codec.Bits, HTTP: c.HTTP, Latency: c.Latency,
		Epoch: epoch - epoch%describe.EpochStep, Offset: binary.BigEndian.Uint32(random[6:]),
	}
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
	s.close(s.goodbye)
	return nil
}

// Package describe is the description of a stream: what a speaker must know to
// join it, as SDP (RFC 8866) and, in short, as the TXT record of its DNS-SD
// service (docs/spec, sections 2 and 3).
//
// The media clock is announced as RFC 7273 has it: ts-refclk names the sender's
// clock, mediaclk:direct the RTP timestamp at that clock's epoch. Attributes that
// SDP has no word for begin with "ostp-".
package describe

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/pion/sdp/v3"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/sync/course"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// Limits that Parse enforces.
const (
	MaxSize     = 16 << 10 // bytes of SDP
	maxText     = 256      // bytes of a title or name
	maxChannels = 8
	maxFrames   = 960
	maxLatency  = 10 * time.Second
	maxDrift    = 2e-3 // of a stream's time against a gateway's clock
)

// Stream is the description of one stream. Ports are UDP except HTTP.
type Stream struct {
	Channel string // the name listeners choose
	Name    string // of the sender, for people
	Tags    Tags

	SSRC     uint32
	StreamID uint16
	Codec    ostp.PayloadType
	Channels int
	Frames   int // per packet, at 48 kHz
	Bits     int // FLAC: 16 or 24; else 0

	Origin  netip.Addr // the sender
	Group   netip.Addr // where media is sent to; valid but unicast for a private copy
	Port    uint16
	RTCP    uint16
	Clock   uint16 // answers time requests
	HTTP    uint16 // serves this description
	Latency time.Duration

	Epoch  timebase.House // house time of media frame 0; a multiple of EpochStep
	Offset uint32         // RTP timestamp of media frame 0

	// Term is not 0 where a gateway passes the stream on (control.Gateway): then Epoch
	// is of the source's clock, and Leg says how that runs against the gateway's.
	Term uint32
	Leg  course.Leg
}

// Tags say what is playing.
type Tags struct {
	Title, Artist, Album string
	Artwork              bool // the sender serves a picture
}

// EpochStep divides every Epoch, so that RTP timestamps fall on whole samples of
// house time.
const EpochStep = timebase.House(time.Millisecond)

// MediaAt returns the media frame that leaves the sender at h.
func (s *Stream) MediaAt(h timebase.House) timebase.Media { return timebase.Frames(h.Sub(s.Epoch)) }

// HouseAt returns when media frame m leaves the sender.
func (s *Stream) HouseAt(m timebase.Media) timebase.House { return s.Epoch.Add(m.Duration()) }

// direct is the RTP timestamp at the house clock's epoch.
func (s *Stream) direct() uint32 { return s.Offset - uint32(timebase.Frames(time.Duration(s.Epoch))) }

// mediaClock is how RTP time runs: by the clock that answers time requests or, with a
// gateway, as its reports say (RFC 7273, section 5.2 and 5.1).
func (s *Stream) mediaClock() string {
	if s.Term != 0 {
		return "sender"
	}
	return fmt.Sprintf("direct=%d", s.direct())
}

// gateway is the term and the leg, the drift in units of 10^-15.
func (s *Stream) gateway() string {
	if s.Term == 0 {
		return ""
	}
	return fmt.Sprintf("%d %d %d %d", s.Term, int64(s.Leg.From), int64(s.Leg.Stream), int64(math.Round(s.Leg.Drift*1e15)))
}

// AppendSDP appends the description as SDP.
func AppendSDP(dst []byte, s *Stream) ([]byte, error) {
	kind := "IP4"
	group := s.Group.String()
	if s.Group.Is6() {
		kind = "IP6"
	} else if s.Group.IsMulticast() {
		group += "/1" // TTL
	}
	attributes := [][2]string{
		{"rtpmap", fmt.Sprintf("%d %v/%d/%d", s.Codec, s.Codec, timebase.Rate, s.Channels)},
		{"ptime", strconv.FormatFloat(float64(s.Frames)*1000/timebase.Rate, 'f', -1, 64)},
		{"rtcp", itoa(s.RTCP)},
		{"ssrc", fmt.Sprintf("%d cname:%s", s.SSRC, oneLine(s.Name))},
		{"ts-refclk", fmt.Sprintf("ntp=%s", netip.AddrPortFrom(s.Origin, s.Clock))},
		{"mediaclk", s.mediaClock()},
		{"ostp-stream", itoa(s.StreamID)},
		{"ostp-frames", strconv.Itoa(s.Frames)},
		{"ostp-bits", strconv.Itoa(s.Bits)},
		{"ostp-http", itoa(s.HTTP)},
		{"ostp-clock", itoa(s.Clock)},
		{"ostp-latency", strconv.FormatInt(s.Latency.Microseconds(), 10)},
		{"ostp-epoch", strconv.FormatInt(int64(s.Epoch), 10)},
		{"ostp-offset", strconv.FormatUint(uint64(s.Offset), 10)},
		{"ostp-gateway", s.gateway()},
		{"ostp-name", oneLine(s.Name)},
		{"ostp-title", oneLine(s.Tags.Title)},
		{"ostp-artist", oneLine(s.Tags.Artist)},
		{"ostp-album", oneLine(s.Tags.Album)},
		{"ostp-artwork", strconv.FormatBool(s.Tags.Artwork)},
	}
	media := &sdp.MediaDescription{MediaName: sdp.MediaName{
		Media: "audio", Port: sdp.RangedPort{Value: int(s.Port)}, Protos: []string{"RTP", "AVP"}, Formats: []string{itoa(uint8(s.Codec))},
	}}
	for _, a := range attributes {
		if a[1] != "" {
			media.Attributes = append(media.Attributes, sdp.NewAttribute(a[0], a[1]))
		}
	}
	origin := "IP4"
	if s.Origin.Is6() {
		origin = "IP6"
	}
	d := sdp.SessionDescription{
		Origin: sdp.Origin{Username: "-", SessionID: uint64(s.SSRC), SessionVersion: uint64(s.Epoch), NetworkType: "IN",
			AddressType: origin, UnicastAddress: s.Origin.WithZone("").String()},
		SessionName:           sdp.SessionName(s.Channel),
		ConnectionInformation: &sdp.ConnectionInformation{NetworkType: "IN", AddressType: kind, Address: &sdp.Address{Address: group}},
		TimeDescriptions:      []sdp.TimeDescription{{}},
		MediaDescriptions:     []*sdp.MediaDescription{media},
	}
	b, err := d.Marshal()
	return append(dst, b...), err
}

// ErrDescription is wrapped by errors about descriptions that cannot be used.
var ErrDescription = errors.New("unusable stream description")

// ParseSDP reads a description.
func ParseSDP(b []byte) (*Stream, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrDescription, len(b), MaxSize)
	}
	var d sdp.SessionDescription
	if err := d.Unmarshal(b); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDescription, err)
	}
	if len(d.MediaDescriptions) != 1 || d.ConnectionInformation == nil || d.ConnectionInformation.Address == nil {
		return nil, fmt.Errorf("%w: want one media section and one connection", ErrDescription)
	}
	r := reader{media: d.MediaDescriptions[0]}
	group, _, _ := strings.Cut(d.ConnectionInformation.Address.Address, "/")
	rtpmap := strings.FieldsFunc(r.text("rtpmap"), func(c rune) bool { return c == ' ' || c == '/' })
	for len(rtpmap) < 4 {
		rtpmap = append(rtpmap, "")
	}
	ssrc, _, _ := strings.Cut(r.text("ssrc"), " ")
	s := &Stream{
		Channel: string(d.SessionName), Name: r.text("ostp-name"),
		Tags: Tags{Title: r.text("ostp-title"), Artist: r.text("ostp-artist"), Album: r.text("ostp-album"), Artwork: r.text("ostp-artwork") == "true"},
		SSRC: uint32(r.parse("ssrc", ssrc, 32)), StreamID: uint16(r.number("ostp-stream", 16)),
		Codec: ostp.PayloadType(r.parse("rtpmap", rtpmap[0], 7)), Channels: int(r.parse("channels", rtpmap[3], 8)),
		Frames: int(r.number("ostp-frames", 16)), Bits: int(r.number("ostp-bits", 8)),
		Origin: r.address("origin", d.Origin.UnicastAddress), Group: r.address("connection", group),
		Port: uint16(r.parse("port", strconv.Itoa(d.MediaDescriptions[0].MediaName.Port.Value), 16)), RTCP: uint16(r.number("rtcp", 16)),
		Clock: uint16(r.number("ostp-clock", 16)), HTTP: uint16(r.number("ostp-http", 16)),
		Latency: time.Duration(r.number("ostp-latency", 32)) * time.Microsecond,
		Epoch:   timebase.House(r.number("ostp-epoch", 63)), Offset: uint32(r.number("ostp-offset", 32)),
	}
	r.gateway(s)
	if r.err != nil {
		return nil, r.err
	}
	return s, s.check()
}

// check refuses what no speaker can play.
func (s *Stream) check() error {
	if err := ostp.CheckChannel(s.Channel); err != nil {
		return fmt.Errorf("%w: %w", ErrDescription, err)
	}
	switch {
	case s.Channels < 1 || s.Channels > maxChannels:
		return fmt.Errorf("%w: %d channels, 1 to %d can be played", ErrDescription, s.Channels, maxChannels)
	case s.Frames < 1 || s.Frames > maxFrames:
		return fmt.Errorf("%w: %d frames per packet, 1 to %d can be played", ErrDescription, s.Frames, maxFrames)
	case s.Latency > maxLatency:
		return fmt.Errorf("%w: latency %v, at most %v", ErrDescription, s.Latency, maxLatency)
	case s.Epoch%EpochStep != 0:
		return fmt.Errorf("%w: epoch %d is not a whole millisecond", ErrDescription, s.Epoch)
	case s.Term != 0 && (math.Abs(s.Leg.Drift) > maxDrift || s.Leg.From <= 0 || s.Leg.Stream <= 0):
		return fmt.Errorf("%w: a gateway whose stream runs by %+v", ErrDescription, s.Leg)
	case s.Port == 0 || s.Clock == 0:
		return fmt.Errorf("%w: port or clock port is missing", ErrDescription)
	}
	return nil
}

// reader takes values out of a media section and keeps the first error.
type reader struct {
	media *sdp.MediaDescription
	err   error
}

func (r *reader) text(key string) string {
	value, _ := r.media.Attribute(key)
	if len(value) > maxText {
		r.fail(key, value[:maxText], fmt.Errorf("longer than %d bytes", maxText))
		return ""
	}
	return value
}

func (r *reader) number(key string, bits int) uint64 { return r.parse(key, r.text(key), bits) }

func (r *reader) parse(key, text string, bits int) uint64 {
	v, err := strconv.ParseUint(text, 10, bits)
	if err != nil {
		r.fail(key, text, err)
	}
	return v
}

func (r *reader) address(key, text string) netip.Addr {
	a, err := netip.ParseAddr(text)
	if err != nil {
		r.fail(key, text, err)
	}
	return a
}

// gateway reads what Stream.gateway wrote.
func (r *reader) gateway(s *Stream) {
	text := r.text("ostp-gateway")
	if text == "" {
		return
	}
	var from, stream, drift int64
	if n, err := fmt.Sscanf(text, "%d %d %d %d", &s.Term, &from, &stream, &drift); n < 4 {
		r.fail("ostp-gateway", text, err)
		return
	}
	s.Leg = course.Leg{From: timebase.House(from), Stream: timebase.House(stream), Drift: float64(drift) / 1e15}
}

func (r *reader) fail(key, text string, err error) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s %q: %w", ErrDescription, key, text, err)
	}
}

func itoa[T uint8 | uint16](v T) string { return strconv.Itoa(int(v)) }

// oneLine makes text fit for a line of SDP.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F {
			return ' '
		}
		return r
	}, text)
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	return strings.TrimSpace(text)
}

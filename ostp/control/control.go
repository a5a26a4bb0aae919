// Package control is the RTCP of a stream (docs/spec, section 3): the sender's
// reports, which tie RTP time to house time; the receivers' reports; and the
// IDMS report of RFC 7272, which says when an RTP instant was really presented at
// a speaker's output. An APP packet "TUTI" carries what RTCP has no block for.
//
// RFC 7272 gives the presentation time in units of 2^-16 s, 15 µs: too coarse for
// proof. But a playing speaker presents 48,000 RTP instants a second, all equally
// true. AppendReport reports the one among a few hundred that falls nearest to a
// whole unit, so that what a standard reader sees is right to about 0.1 µs.
//
// Everything is pure and safe for concurrent use.
package control

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/pion/rtcp"

	"github.com/tutti-audio/tutti/ostp/clockmsg"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// MaxSize is the longest RTCP datagram that is read.
const MaxSize = 1472

// ErrControl is wrapped by errors about bytes that are no RTCP for us.
var ErrControl = errors.New("unusable RTCP")

// Sender is a sender's report: the RTP instant Timestamp leaves at House.
type Sender struct {
	SSRC      uint32
	House     timebase.House
	Timestamp uint32
	Packets   uint32
	Octets    uint32
	Name      string // of the sender
	Note      string // what is playing
	Gateway   *Gateway
}

// AppendSender appends a compound SR + SDES, and APP for a gateway.
func AppendSender(dst []byte, s Sender) ([]byte, error) {
	items := []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: clip(s.Name)}}
	if s.Note != "" {
		items = append(items, rtcp.SourceDescriptionItem{Type: rtcp.SDESNote, Text: clip(s.Note)})
	}
	packets := []rtcp.Packet{
		&rtcp.SenderReport{SSRC: s.SSRC, NTPTime: uint64(clockmsg.FromHouse(s.House)), RTPTime: s.Timestamp, PacketCount: s.Packets, OctetCount: s.Octets},
		&rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{Source: s.SSRC, Items: items}}},
	}
	if s.Gateway != nil {
		packets = append(packets, &rtcp.ApplicationDefined{SSRC: s.SSRC, SubType: gatewayVersion, Name: appName, Data: gatewayData(s.Gateway)})
	}
	return appendAll(dst, packets...)
}

// AppendGoodbye appends RR + BYE for a sender or receiver that leaves.
func AppendGoodbye(dst []byte, ssrc uint32) ([]byte, error) {
	return appendAll(dst, &rtcp.ReceiverReport{SSRC: ssrc}, &rtcp.Goodbye{Sources: []uint32{ssrc}})
}

// Receiver is a speaker's report.
type Receiver struct {
	SSRC   uint32 // of the speaker
	Stream uint32 // SSRC of the stream
	ID     string // stays the same over restarts
	Name   string // for people

	FractionLost    uint8 // of 256 (off the LAN of 255), since the last report
	Lost            uint32
	HighestSequence uint32
	Jitter          uint32 // RTP ticks, RFC 3550; off the LAN the median delay

	// Received: a packet of this RTP time arrived at this house time, for people; the
	// report has room for the latter alone. Zero off the LAN.
	ReceivedAt  timebase.House
	ReceivedRTP uint32
	// Presented: this RTP instant, which may lie between two, was at the output.
	// Zero when nothing is playing.
	PresentedAt  timebase.House
	PresentedRTP float64 // modulo 2^32

	Health Health
}

// Health is what a speaker says besides.
type Health struct {
	Playing, Muted, Unicast bool
	Volume                  uint8
	Late                    time.Duration // of what is presented, by its own reckoning
	Bound                   time.Duration // of the error of the presentation time
	PPM                     float64       // resampling
	Latency                 time.Duration // source to output
	Trim                    time.Duration
	LostPackets             uint32
	ConcealedFrames         uint32
	Margin                  time.Duration // how long before its instant the last packet came
	Burst                   time.Duration // media time of the longest run of packets lost on the way since the last report
	// Mend is how long after its turn to arrive a lost packet is still of use, and Asks
	// how often it can be asked for within that. A Mend of 0 says nothing of either.
	Mend  time.Duration
	Asks  uint8
	Queue time.Duration // that the output is kept filled with; 0: it does not say
}

// AppendReport appends a compound RR + SDES + APP, and XR with the IDMS block
// when something is playing.
func AppendReport(dst []byte, r Receiver) ([]byte, error) {
	packets := []rtcp.Packet{
		&rtcp.ReceiverReport{SSRC: r.SSRC, Reports: []rtcp.ReceptionReport{{
			SSRC: r.Stream, FractionLost: r.FractionLost, TotalLost: min(r.Lost, 1<<23-1),
			LastSequenceNumber: r.HighestSequence, Jitter: r.Jitter,
		}}},
		&rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{Source: r.SSRC, Items: []rtcp.SourceDescriptionItem{
			{Type: rtcp.SDESCNAME, Text: clip(r.ID)}, {Type: rtcp.SDESName, Text: clip(r.Name)},
		}}}},
		&rtcp.ApplicationDefined{SSRC: r.SSRC, SubType: healthVersion, Name: appName, Data: appendHealth(nil, r.Health)},
	}
	if r.PresentedAt != 0 {
		packets = append(packets, &rtcp.ExtendedReport{SenderSSRC: r.SSRC, Reports: []rtcp.ReportBlock{idmsBlock(r)}})
	}
	return appendAll(dst, packets...)
}

func appendAll(dst []byte, packets ...rtcp.Packet) ([]byte, error) {
	b, err := rtcp.Marshal(packets)
	if err != nil {
		return dst, fmt.Errorf("building RTCP: %w", err)
	}
	return append(dst, b...), nil
}

// clip keeps a text within an SDES item.
func clip(text string) string { return text[:min(len(text), 255)] }

// RFC 7272 section 7: an XR block of type 12 and seven words after its header.
const (
	idmsType   = 12
	idmsSize   = 28
	idmsSearch = 480 // frames: 10 ms either way changes nothing about the proof
)

// idmsBlock builds the IDMS report block.
func idmsBlock(r Receiver) *rtcp.UnknownReportBlock {
	timestamp, units := nearestUnit(r.PresentedRTP, r.PresentedAt)
	b := make([]byte, 0, idmsSize)
	b = binary.BigEndian.AppendUint32(b, 0)        // payload type and reserved bits: unused here
	b = binary.BigEndian.AppendUint32(b, r.Stream) // media stream correlation identifier
	b = binary.BigEndian.AppendUint32(b, r.Stream)
	b = binary.BigEndian.AppendUint64(b, uint64(clockmsg.FromHouse(r.ReceivedAt)))
	b = binary.BigEndian.AppendUint32(b, timestamp) // the RTP instant that was presented
	b = binary.BigEndian.AppendUint32(b, units)
	const presentedFlag = 1 // the presentation time is valid
	return &rtcp.UnknownReportBlock{
		XRHeader: rtcp.XRHeader{BlockType: idmsType, TypeSpecific: 1<<4 | presentedFlag}, Bytes: b,
	}
}

// nearestUnit returns the RTP instant near rtp whose presentation is nearest to a
// whole 2^-16 s, and that time: the middle 32 bits of an NTP timestamp.
func nearestUnit(rtp float64, at timebase.House) (timestamp, units uint32) {
	first := math.Ceil(rtp)
	best := math.Inf(1)
	for i := range idmsSearch {
		whole := first + float64(i)
		ns := (whole - rtp) * (1e9 / timebase.Rate)
		t := uint64(clockmsg.FromHouse(at + timebase.House(math.Round(ns))))
		rest := math.Abs(float64(int16(uint16(t)))) // distance to the nearest unit, in 2^-32 s
		if rest < best {
			best, timestamp, units = rest, uint32(uint64(whole)), uint32((t+1<<15)>>16)
		}
	}
	return timestamp, units
}

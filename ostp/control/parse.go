package control

import (
	"encoding/binary"
	"fmt"

	"github.com/pion/rtcp"

	"github.com/tutti-audio/tutti/ostp/clockmsg"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// Report is what one RTCP datagram said; what it did not say is nil or empty.
type Report struct {
	Sender   *Sender
	Receiver *Receiver
	Goodbye  []uint32
}

// Parse reads one datagram. now, any house time within nine hours of the report,
// completes the presentation time, which the wire carries modulo 18 hours.
func Parse(b []byte, now timebase.House) (r Report, err error) {
	if len(b) > MaxSize {
		return r, fmt.Errorf("%w: %d bytes, at most %d", ErrControl, len(b), MaxSize)
	}
	packets, err := rtcp.Unmarshal(b)
	if err != nil {
		return r, fmt.Errorf("%w: %w", ErrControl, err)
	}
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.SenderReport:
			r.Sender = &Sender{SSRC: p.SSRC, House: clockmsg.Timestamp(p.NTPTime).House(), Timestamp: p.RTPTime, Packets: p.PacketCount, Octets: p.OctetCount}
		case *rtcp.ReceiverReport:
			r.receiver(p)
		case *rtcp.SourceDescription:
			r.describe(p)
		case *rtcp.ApplicationDefined:
			r.application(p)
		case *rtcp.ExtendedReport:
			r.extended(p, now)
		case *rtcp.Goodbye:
			r.Goodbye = append(r.Goodbye, p.Sources...)
		}
	}
	return r, nil
}

func (r *Report) receiver(p *rtcp.ReceiverReport) {
	if len(p.Reports) == 0 {
		return
	}
	b := p.Reports[0]
	r.Receiver = &Receiver{SSRC: p.SSRC, Stream: b.SSRC, FractionLost: b.FractionLost, Lost: b.TotalLost,
		HighestSequence: b.LastSequenceNumber, Jitter: b.Jitter}
}

func (r *Report) application(p *rtcp.ApplicationDefined) {
	switch {
	case p.Name != appName:
	case p.SubType == healthVersion && r.Receiver != nil:
		r.Receiver.Health, _ = parseHealth(p.Data)
	case p.SubType == gatewayVersion && r.Sender != nil && r.Sender.SSRC == p.SSRC:
		if g, ok := parseGateway(p.Data); ok {
			r.Sender.Gateway = &g
		}
	}
}

func (r *Report) describe(p *rtcp.SourceDescription) {
	for _, chunk := range p.Chunks {
		for _, item := range chunk.Items {
			switch {
			case r.Receiver != nil && chunk.Source == r.Receiver.SSRC && item.Type == rtcp.SDESCNAME:
				r.Receiver.ID = item.Text
			case r.Receiver != nil && chunk.Source == r.Receiver.SSRC && item.Type == rtcp.SDESName:
				r.Receiver.Name = item.Text
			case r.Sender != nil && chunk.Source == r.Sender.SSRC && item.Type == rtcp.SDESCNAME:
				r.Sender.Name = item.Text
			case r.Sender != nil && chunk.Source == r.Sender.SSRC && item.Type == rtcp.SDESNote:
				r.Sender.Note = item.Text
			}
		}
	}
}

func (r *Report) extended(p *rtcp.ExtendedReport, now timebase.House) {
	for _, block := range p.Reports {
		b, ok := block.(*rtcp.UnknownReportBlock)
		if !ok || b.BlockType != idmsType || len(b.Bytes) != idmsSize || r.Receiver == nil || p.SenderSSRC != r.Receiver.SSRC {
			continue
		}
		r.Receiver.ReceivedAt = clockmsg.Timestamp(binary.BigEndian.Uint64(b.Bytes[12:])).House()
		r.Receiver.PresentedRTP = float64(binary.BigEndian.Uint32(b.Bytes[20:]))
		r.Receiver.PresentedAt = widen(binary.BigEndian.Uint32(b.Bytes[24:]), now)
	}
}

// widen returns the house time nearest to now whose middle 32 bits are units.
func widen(units uint32, now timebase.House) timebase.House {
	near := uint64(clockmsg.FromHouse(now)) >> 16
	full := near + uint64(int64(int32(units-uint32(near))))
	return clockmsg.Timestamp(full << 16).House()
}

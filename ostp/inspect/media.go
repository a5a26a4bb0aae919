package inspect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/pion/rtp"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/fec"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// explainRTP explains what begins as RTP does.
func explainRTP(b []byte) Explanation {
	p := new(ostp.Packet)
	trailer, err := ostp.ParseTolerant(p, b)
	bad := errors.Is(err, ostp.ErrCRC)
	if bad {
		err = ostp.ParsePacket(p, repaired(b))
	}
	if err != nil {
		return explainForeign(b, err)
	}
	e := Explanation{Kind: Media, packet: p, badCRC: bad}
	e.headerFields(p)
	switch ostp.PayloadType(p.PayloadType) {
	case ostp.NACK:
		e.nack(p)
	case ostp.FEC:
		e.fec(p)
	default:
		e.Summary = fmt.Sprintf("%s  seq %d  media %s", payloadName(p.PayloadType), p.Sequence(), mediaTime(p.MediaTimestamp))
	}
	e.add("payload", "%s", some(p.Payload))
	e.trailer(b, trailer)
	return e
}

// repaired returns a copy of a packet with the CRC that it should have, so that its
// fields can be read.
func repaired(b []byte) []byte {
	body := b[:len(b)-ostp.TrailerSize]
	return binary.LittleEndian.AppendUint32(append([]byte(nil), body...), crc32.ChecksumIEEE(body))
}

// explainForeign explains RTP that is no OSTP.
func explainForeign(b []byte, why error) Explanation {
	e := Explanation{Kind: RTP, Summary: "without OSTP's extension and CRC", Problem: why.Error()}
	var h rtp.Header
	if _, err := h.Unmarshal(b); err != nil {
		e.Kind, e.Summary = Unknown, "begins as RTP does"
		e.add("bytes", "%s", some(b))
		return e
	}
	e.add("payload type", "%d", h.PayloadType)
	e.add("sequence", "%d", h.SequenceNumber)
	e.add("timestamp", "%d", h.Timestamp)
	e.add("SSRC", "%08X", h.SSRC)
	return e
}

func payloadName(kind uint8) string {
	p := ostp.PayloadType(kind)
	name := p.String()
	if name == fmt.Sprint(kind) {
		return fmt.Sprintf("payload type %d (not known)", kind)
	}
	if p.Canonical() != p {
		return fmt.Sprintf("%s (as %d)", name, kind)
	}
	return name
}

// mediaTime shows 48 kHz ticks in seconds.
func mediaTime(ticks uint32) string { return fmt.Sprintf("%.6f s", float64(ticks)/timebase.Rate) }

func (e *Explanation) headerFields(p *ostp.Packet) {
	e.add("version", "%d", p.Version)
	e.add("padding", "%v", p.Padding)
	e.add("extension", "%v", p.Extension)
	e.add("CSRC count", "%d", len(p.CSRC))
	e.add("marker", "%v", p.Marker)
	e.add("payload type", "%d (%s)", p.PayloadType, payloadName(p.PayloadType))
	e.add("sequence (low)", "%d", p.SequenceNumber)
	e.add("timestamp", "%d", p.Timestamp)
	e.add("SSRC", "%08X", p.SSRC)
	for i, c := range p.CSRC {
		e.add(fmt.Sprintf("CSRC %d", i), "%08X", c)
	}
	e.add("extension.profile", "%04X (OSTP)", p.ExtensionProfile)
	e.add("extension.length", "%d words", 2+len(p.Surplus)/4)
	e.add("extension.stream_id", "%d", p.StreamID)
	e.add("extension.sequence_ext", "%d (sequence %d)", p.SequenceExt, p.Sequence())
	e.add("extension.media_timestamp", "%d (%s)", p.MediaTimestamp, mediaTime(p.MediaTimestamp))
	if len(p.Surplus) > 0 {
		e.add("extension.surplus", "%s", some(p.Surplus))
	}
}

func (e *Explanation) nack(p *ostp.Packet) {
	e.Kind = NACK
	missing, err := ostp.ParseNACK(nil, p.Payload)
	if err != nil {
		e.Problem = err.Error()
		return
	}
	e.Summary = fmt.Sprintf("asks for %d packets of %08X", len(missing), p.SSRC)
	e.add("missing", "%s", strings.Trim(fmt.Sprint(missing), "[]"))
}

func (e *Explanation) fec(p *ostp.Packet) {
	e.Kind = FEC
	h, err := fec.ParseHeader(p.Payload)
	if err != nil {
		e.Problem = err.Error()
		return
	}
	last := h.First + uint32(h.K) - 1
	e.Summary = fmt.Sprintf("parity %d of %d  for seq %d–%d", h.Index+1, h.M, h.First, last)
	e.add("fec.version", "%d", p.Payload[0])
	e.add("fec.k", "%d", h.K)
	e.add("fec.m", "%d", h.M)
	e.add("fec.index", "%d", h.Index)
	e.add("fec.first", "%d (to %d)", h.First, last)
	e.add("fec.protects", "SSRC %08X", ^p.SSRC)
}

// trailer says whether the CRC is good, and by which reading of the draft.
func (e *Explanation) trailer(b []byte, trailer ostp.Trailer) {
	body := len(b) - ostp.TrailerSize
	found := binary.LittleEndian.Uint32(b[body:])
	switch {
	case e.badCRC:
		e.add("CRC", "%08X, BAD: %08X is computed", found, crc32.ChecksumIEEE(b[:body]))
		e.Problem = "bad CRC: a receiver drops it"
	case trailer == ostp.TrailerStandard:
		e.add("CRC", "%08X, good (whole packet, little-endian)", found)
	default:
		how := map[ostp.Trailer]string{ostp.TrailerPayloadBigEndian: "payload only, big-endian", ostp.TrailerPacketBigEndian: "whole packet, big-endian"}[trailer]
		e.add("CRC", "%08X, good, but by another reading: %s", binary.BigEndian.Uint32(b[body:]), how)
		e.Problem = "CRC of another reading (" + how + "): only a tolerant receiver takes it"
	}
}

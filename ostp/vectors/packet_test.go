package vectors_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/codec"
)

func TestPackets(t *testing.T) {
	all := readVectors(t, "packet")
	counted(t, all, 32)
	for _, v := range all {
		raw := v.bytes(t, v.get("packet"))
		var p ostp.Packet
		err := ostp.ParsePacket(&p, raw)
		switch want := v.get("error"); {
		case want == "nack":
			if _, nackErr := ostp.ParseNACK(nil, p.Payload); err != nil || nackErr == nil {
				t.Errorf("%s: packet %v, NACK %v; want a packet whose NACK is refused", v.at, err, nackErr)
			}
		case want != "":
			checkRefused(t, v, raw, err, want)
		case v.has("trailer"):
			checkRefused(t, v, raw[:len(raw):len(raw)], err, "crc tolerated")
			which, err := ostp.ParseTolerant(&p, raw)
			checkFields(t, v, &p, which, err)
		case err != nil:
			t.Errorf("%s: %v", v.at, err)
		default:
			checkFields(t, v, &p, ostp.TrailerStandard, nil)
			checkBuilt(t, v, p, raw)
		}
	}
}

// checkRefused: a strict reader refuses for the reason given, and so does a tolerant
// one unless it knows the trailer.
func checkRefused(t *testing.T, v *vector, raw []byte, got error, want string) {
	t.Helper()
	reason, tolerated := strings.CutSuffix(want, " tolerated")
	is := map[string]error{"crc": ostp.ErrCRC, "truncated": ostp.ErrTruncated, "foreign": ostp.ErrForeign, "too_long": ostp.ErrTooLong}[reason]
	if is == nil || !errors.Is(got, is) {
		t.Errorf("%s: %v, want %s", v.at, got, want)
	}
	if _, err := ostp.ParseTolerant(new(ostp.Packet), raw); (err == nil) != tolerated {
		t.Errorf("%s: a tolerant reader says %v", v.at, err)
	}
}

func checkFields(t *testing.T, v *vector, p *ostp.Packet, which ostp.Trailer, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", v.at, err)
		return
	}
	marker := "0"
	if p.Marker {
		marker = "1"
	}
	var csrc []string
	for _, c := range p.CSRC {
		csrc = append(csrc, fmt.Sprintf("%08X", c))
	}
	got := map[string]string{
		"marker": marker, "payload_type": strconv.Itoa(int(p.PayloadType)), "sequence": fmt.Sprint(p.Sequence()),
		"timestamp": fmt.Sprint(p.Timestamp), "ssrc": fmt.Sprintf("%08X", p.SSRC), "stream_id": fmt.Sprint(p.StreamID),
		"media_timestamp": fmt.Sprint(p.MediaTimestamp), "payload": upper(p.Payload), "surplus": upper(p.Surplus), "csrc": strings.Join(csrc, " "),
		"trailer": map[ostp.Trailer]string{ostp.TrailerPayloadBigEndian: "payload_big_endian", ostp.TrailerPacketBigEndian: "packet_big_endian"}[which],
	}
	kind := ostp.PayloadType(p.PayloadType)
	if kind.Canonical() != kind {
		got["read_as"] = strconv.Itoa(int(kind.Canonical()))
	}
	if kind == ostp.NACK {
		got["nack"] = asked(t, v, p.Payload)
	}
	if kind == ostp.PCM16 || kind == ostp.PCM24 {
		got["samples"] = samples(t, v, kind, p.Payload)
	}
	v.compare(t, got)
}

func upper(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

// asked returns what a NACK asks for, and sees that it is written as it was.
func asked(t *testing.T, v *vector, payload []byte) string {
	t.Helper()
	missing, err := ostp.ParseNACK(nil, payload)
	if err != nil {
		t.Errorf("%s: %v", v.at, err)
	}
	if again, err := ostp.AppendNACK(nil, missing); err != nil || !bytes.Equal(again, payload) {
		t.Errorf("%s: built NACK %X (%v), want %X", v.at, again, err, payload)
	}
	return strings.Trim(fmt.Sprint(missing), "[]")
}

// samples decodes PCM of two channels into whole numbers.
func samples(t *testing.T, v *vector, kind ostp.PayloadType, payload []byte) string {
	t.Helper()
	bits := map[ostp.PayloadType]int{ostp.PCM16: 16, ostp.PCM24: 24}[kind]
	frames := len(payload) / (2 * bits / 8)
	d, err := codec.NewDecoder(codec.Params{Type: kind, Channels: 2, Frames: frames})
	if err != nil {
		t.Fatalf("%s: %v", v.at, err)
	}
	pcm := make([]float32, 2*frames)
	if _, err := d.Decode(pcm, payload); err != nil {
		t.Fatalf("%s: %v", v.at, err)
	}
	var text []string
	for _, s := range pcm {
		text = append(text, fmt.Sprint(int(float64(s)*math.Exp2(float64(bits-1)))))
	}
	return strings.Join(text, " ")
}

// checkBuilt: the fields give the same bytes.
func checkBuilt(t *testing.T, v *vector, p ostp.Packet, raw []byte) {
	t.Helper()
	built := ostp.Packet{StreamID: p.StreamID, MediaTimestamp: p.MediaTimestamp, Payload: bytes.Clone(p.Payload), Surplus: bytes.Clone(p.Surplus)}
	built.PayloadType, built.SSRC, built.Timestamp, built.Marker, built.CSRC = p.PayloadType, p.SSRC, p.Timestamp, p.Marker, p.CSRC
	built.SetSequence(p.Sequence())
	if again, err := ostp.AppendPacket(nil, &built); err != nil || !bytes.Equal(again, raw) {
		t.Errorf("%s: built %X (%v), want %X", v.at, again, err, raw)
	}
}

package inspect

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/clockmsg"
	"github.com/tutti-audio/tutti/ostp/control"
	"github.com/tutti-audio/tutti/ostp/fec"
)

var ends = Ends{netip.MustParseAddrPort("192.0.2.1:40000"), netip.MustParseAddrPort("239.69.0.1:5004")}

// packet builds a packet of a stream with 20 ms in each.
func packet(t testing.TB, kind ostp.PayloadType, sequence uint32, payload []byte) []byte {
	t.Helper()
	p := ostp.Packet{StreamID: 7, MediaTimestamp: sequence * 960, Payload: payload}
	p.SSRC, p.PayloadType, p.Timestamp = 0xDEADBEEF, uint8(kind), sequence*960+5
	p.SetSequence(sequence)
	b, err := ostp.AppendPacket(nil, &p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// text joins all that is said.
func text(e Explanation) string {
	lines := []string{string(e.Kind) + ": " + e.Summary}
	for _, f := range e.Fields {
		lines = append(lines, f.Name+"="+f.Value)
	}
	return strings.Join(append(append(lines, e.Problem), e.Notes...), "\n")
}

// Every vector is explained, and has a problem if, and only if, it is wrong.
func TestVectors(t *testing.T) {
	files, _ := filepath.Glob("../vectors/*.txt")
	n := 0
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, record := range strings.Split(string(b), "\n\n") {
			wrong := strings.Contains(record, "\nerror: ") || strings.Contains(record, "\ntrailer: ")
			for _, text := range strings.Split(record, "\n") {
				key, value, _ := strings.Cut(text, ": ")
				if key != "packet" && key != "data" && key != "parity" {
					continue
				}
				raw, _ := hex.DecodeString(value)
				e := Explain(raw)
				if n++; (e.Problem != "" || e.Kind == Unknown) != wrong {
					t.Errorf("%s: %s…: %s", file, value[:20], e.Problem)
				}
			}
		}
	}
	if n < 40 {
		t.Errorf("only %d packets were found", n)
	}
}

func TestKinds(t *testing.T) {
	nack, _ := ostp.AppendNACK(nil, []uint16{3, 4})
	bad := packet(t, ostp.Opus, 1, []byte("x"))
	bad[24] ^= 1
	sr, _ := control.AppendSender(nil, control.Sender{SSRC: 0xDEADBEEF, House: 1e18 + 1, Timestamp: 5, Name: "attic", Note: "a tune"})
	rr, _ := control.AppendReport(nil, control.Receiver{SSRC: 9, Stream: 0xDEADBEEF, ID: "id", Name: "Kitchen", ReceivedAt: 1e18, ReceivedRTP: 5,
		PresentedAt: 1e18 + 1e8, PresentedRTP: 4800, Health: control.Health{Playing: true, Volume: 40, Late: time.Microsecond}})
	bye, _ := control.AppendGoodbye(nil, 9)
	request := make([]byte, clockmsg.Size)
	request[0] = 0xE3
	answer := bytes.Clone(request)
	answer[0], answer[40] = 0x24, 0xF0
	probe := make([]byte, 25)
	probe[0], probe[1] = 0x7D, 5
	stun := append([]byte{0, 1, 0, 8, 0x21, 0x12, 0xA4, 0x42}, make([]byte, 12)...)
	stun = append(stun, 0, 0x24, 0, 4, 1, 2, 3, 4)
	hello := []byte{22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1}
	for _, c := range []struct {
		b    []byte
		kind Kind
		want []string
	}{
		{packet(t, ostp.PCM24, 70000, []byte("abcdef")), Media, []string{"pcm24", "seq 70000", "sequence_ext=1 (sequence 70000)", "stream_id=7", "SSRC=DEADBEEF", "good"}},
		{bad, Media, []string{"bad CRC", "BAD", "seq 1"}},
		{packet(t, ostp.NACK, 1, nack), NACK, []string{"missing=3 4", "asks for 2"}},
		{packet(t, ostp.NACK, 1, []byte("abc")), NACK, []string{"3 bytes, not 1 to 32"}},
		{packet(t, ostp.FEC, 1, []byte("abc")), FEC, []string{"malformed FEC"}},
		{packet(t, 99, 1, nil), Media, []string{"payload type 99 (not known)"}},
		{append([]byte{0x80, 96}, make([]byte, 30)...), RTP, []string{"not an OSTP packet"}},
		{[]byte{0x90}, Unknown, []string{"1 bytes: 90"}},
		{sr, RTCP, []string{"SR + SDES", "SR.house time=1000000000.000000001 s", "SDES.note=a tune"}},
		{rr, RTCP, []string{"RR + SDES + APP + XR", "SDES.name=Kitchen", "volume 40", "IDMS.presented at=1000000000.101562500"}},
		{bye, RTCP, []string{"goodbye=SSRC 00000009"}},
		{[]byte{0x81, 200, 0, 6}, RTCP, []string{"unusable RTCP"}},
		{request, Clock, []string{"request", "mode=3 (client)"}},
		{answer, Clock, []string{"answer", "transmit=F0", "house time"}},
		{probe, Probe, []string{"T1 (asked)=5 ns"}},
		{[]byte("JOIN house pw"), Line, []string{"as written=\"JOIN:house:pw\\n\"", "channel=house", "password=2 bytes"}},
		{[]byte("NOISE:1\n"), Line, []string{"verb is not known"}},
		{[]byte("JOIN:a\x00\n"), Line, []string{"not UTF-8 text of one line"}},
		{[]byte("CHALLENGE:abc\n"), Line, []string{"token=abc"}},
		{stun, STUN, []string{"Binding request", "PRIORITY=4 bytes: 01020304"}},
		{hello, DTLS, []string{"handshake ClientHello", "epoch 0"}},
		{[]byte{1, 2}, Unknown, []string{"2 bytes: 0102"}},
		{nil, Unknown, []string{"empty"}},
	} {
		e := Explain(c.b)
		got := text(e)
		if e.Kind != c.kind {
			t.Errorf("%X is %s, want %s", c.b, e.Kind, c.kind)
		}
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%q is missing in\n%s", want, got)
			}
		}
	}
}

func TestFECIsExplained(t *testing.T) {
	var e fec.Encoder
	if err := e.SetShape(1, 2); err != nil {
		t.Fatal(err)
	}
	var p ostp.Packet
	if err := ostp.ParsePacket(&p, packet(t, ostp.Opus, 65536, []byte("x"))); err != nil {
		t.Fatal(err)
	}
	parity, err := e.Add(&p)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := ostp.AppendPacket(nil, &parity[1])
	got := text(Explain(raw))
	for _, want := range []string{"OSTP FEC: parity 2 of 2", "fec.k=1", "fec.m=2", "fec.first=65536", "SSRC DEADBEEF"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
}

func TestLog(t *testing.T) {
	var l Log
	start := time.Unix(1000, 0)
	notes := ""
	for i, sequence := range []uint32{0xFFFFFFFE, 0xFFFFFFFF, 2, 1, 1, 3} {
		e := l.Add(start.Add(time.Duration(i)*20*time.Millisecond), ends, packet(t, ostp.Opus, sequence, make([]byte, 72)))
		notes += fmt.Sprintln(sequence, e.Notes)
	}
	bad := packet(t, ostp.Opus, 4, nil)
	bad[10] ^= 0xFF // its SSRC: no stream that is known
	l.Add(start, ends, bad)
	bad = packet(t, ostp.Opus, 4, []byte("x"))
	bad[24] ^= 1
	l.Add(start, ends, bad)
	want := "4294967294 [first of its stream]\n4294967295 []\n2 [gap: seq 0–1 missing (2); media goes on after 60ms]\n" +
		"1 [late: after seq 2]\n1 [duplicate]\n3 []\n"
	if notes != want {
		t.Errorf("%s\nwant\n%s", notes, want)
	}
	s := l.Streams()[0]
	if len(l.Streams()) != 1 || s.Packets != 6 || s.Lost != 1 || s.Reordered != 1 || s.Duplicates != 1 || s.BadCRC != 1 || l.Damaged != 1 {
		t.Errorf("%d streams, %d packets, %d lost, %d reordered, %d duplicates, %d and %d damaged",
			len(l.Streams()), s.Packets, s.Lost, s.Reordered, s.Duplicates, s.BadCRC, l.Damaged)
	}
	if s.Duration != 100*time.Millisecond || s.Media != 100*time.Millisecond || s.Bitrate() != 40000 {
		t.Errorf("%v, %v, %v bit/s; want 100 ms, 100 ms, 40,000", s.Duration, s.Media, s.Bitrate())
	}
}

// What is encrypted looks like packets with a bad CRC.
func TestEncrypted(t *testing.T) {
	var l Log
	bad := packet(t, ostp.Opus, 4, []byte("x"))
	bad[24] ^= 1
	if e := l.Add(time.Time{}, ends, bad); e.Kind != Media {
		t.Errorf("before DTLS: %s", e.Kind)
	}
	l.Add(time.Time{}, Ends{ends.To, ends.From}, []byte{22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	if e := l.Add(time.Time{}, ends, bad); e.Kind != Encrypted || e.Problem != "" {
		t.Errorf("after DTLS: %s", text(e))
	}
}

func FuzzLog(f *testing.F) {
	f.Add(packet(f, ostp.FEC, 1, []byte{1, 2, 1, 0, 0, 0, 0, 1, 0, 1, 96, 0, 0, 0, 0, 9}))
	f.Add([]byte("JOIN:house\n"))
	f.Add([]byte{0x81, 200, 0, 6})
	f.Add([]byte{22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1})
	f.Add(append([]byte{0, 1, 0, 8, 0x21, 0x12, 0xA4, 0x42}, make([]byte, 20)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		var l Log
		l.Add(time.Time{}, ends, b)
		if len(b) > 30 { // as if its CRC were right
			l.Add(time.Unix(1, 0), ends, repaired(b))
		}
		for _, s := range l.Streams() {
			if s.Lost < 0 || s.Bitrate() < 0 {
				t.Fatalf("%+v", s)
			}
		}
	})
}

package inspect

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/internal/pcap"
	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/control"
	"github.com/tutti-audio/tutti/ostp/fec"
	"github.com/tutti-audio/tutti/ostp/line"
)

// What Wireshark is asked for, in this order.
const columns = "ostp.crc.status ostp.pt ostp.seq ostp.stream_id ostp.media_timestamp ostp.csrc ostp.surplus ostp.nack.seq " +
	"ostp.fec.k ostp.fec.m ostp.fec.index ostp.fec.first ostp.line.verb ostp.line.channel ostp.line.device ostp.line.options ostp.line.token " +
	"ostp.line.word ostp.line.id ostp.line.address ostp.malformed rtcp.pt ostp.probe.t1"

// seen is one datagram as Wireshark sees it.
type seen map[string]string

// tshark writes datagrams to a capture and returns what the dissector makes of them.
func tshark(t *testing.T, port uint16, datagrams [][]byte) []seen {
	t.Helper()
	program, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("skipped: tshark is not installed (apt-get install tshark)")
	}
	f := pcap.Form{Order: binary.LittleEndian, Link: pcap.LinkEthernet}
	d := pcap.Datagram{From: netip.MustParseAddrPort("192.0.2.1:40000"), To: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.2"), port)}
	file := f.AppendHeader(nil)
	for i, b := range datagrams {
		d.Payload = b
		file = f.AppendFrame(file, time.Unix(1e9, int64(i)*1e6), f.AppendUDP(nil, d))
	}
	path := filepath.Join(t.TempDir(), "x.pcap")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	const dissector = "../../docs/ostp.lua"
	if _, err := os.ReadFile(dissector); err != nil { // also so that go test runs again when it was changed
		t.Fatal(err)
	}
	args := []string{"-X", "lua_script:" + dissector, "-r", path, "-n", "-T", "fields", "-E", "separator=/t", "-E", "aggregator= "}
	names := strings.Fields(columns)
	for _, c := range names {
		args = append(args, "-e", c)
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir())
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil || strings.Contains(complaints.String(), "Lua") {
		t.Fatalf("tshark: %v\n%s", err, complaints.String())
	}
	var all []seen
	for _, row := range strings.Split(strings.TrimSuffix(string(out), "\n"), "\n") {
		s := seen{}
		for i, cell := range strings.Split(row, "\t") {
			s[names[i]] = cell
		}
		all = append(all, s)
	}
	if len(all) != len(datagrams) {
		t.Fatalf("%d rows, want %d", len(all), len(datagrams))
	}
	return all
}

// fromVectors collects what stands under some keys of the vectors.
func fromVectors(t *testing.T, decode func(string) ([]byte, error), keys ...string) (all [][]byte) {
	t.Helper()
	files, _ := filepath.Glob("../vectors/*.txt")
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range strings.Split(string(b), "\n") {
			for _, key := range keys {
				if value, ok := strings.CutPrefix(text, key+": "); ok {
					raw, err := decode(value)
					if err != nil {
						t.Fatalf("%s: %v", file, err)
					}
					all = append(all, raw)
				}
			}
		}
	}
	return all
}

func (s seen) check(t *testing.T, what []byte, want map[string]string) {
	t.Helper()
	for key, value := range want {
		if s[key] != value {
			t.Errorf("%.60X: Wireshark says %s is %q, want %q", what, key, s[key], value)
		}
	}
}

// wanted is what our own reader says, in Wireshark's words.
func wanted(p *ostp.Packet) map[string]string {
	var csrc []string
	for _, c := range p.CSRC {
		csrc = append(csrc, fmt.Sprintf("0x%08x", c))
	}
	want := map[string]string{
		"ostp.pt": fmt.Sprint(p.PayloadType), "ostp.seq": fmt.Sprint(p.Sequence()), "ostp.stream_id": fmt.Sprint(p.StreamID),
		"ostp.media_timestamp": fmt.Sprint(p.MediaTimestamp), "ostp.csrc": strings.Join(csrc, " "), "ostp.surplus": hex.EncodeToString(p.Surplus),
	}
	switch ostp.PayloadType(p.PayloadType) {
	case ostp.NACK:
		missing, _ := ostp.ParseNACK(nil, p.Payload)
		want["ostp.nack.seq"] = strings.Trim(fmt.Sprint(missing), "[]")
	case ostp.FEC:
		if h, err := fec.ParseHeader(p.Payload); err == nil {
			want["ostp.fec.k"], want["ostp.fec.m"] = fmt.Sprint(h.K), fmt.Sprint(h.M)
			want["ostp.fec.index"], want["ostp.fec.first"] = fmt.Sprint(h.Index), fmt.Sprint(h.First)
		}
	}
	return want
}

// Every packet of the vectors, on a port of OSTP and on one that is found by looks.
func TestWiresharkPackets(t *testing.T) {
	packets := fromVectors(t, hex.DecodeString, "packet", "data", "parity")
	for _, kind := range []ostp.PayloadType{ostp.Opus, ostp.PCM16, ostp.AAC, ostp.PCM24, ostp.FLAC, ostp.Opus111, ostp.Opus112, ostp.NACK, ostp.FEC, 99} {
		good := packet(t, kind, 70000, make([]byte, 40))
		bad := append([]byte(nil), good...)
		bad[30] ^= 0x10
		packets = append(packets, good, bad)
	}
	for _, port := range []uint16{5004, 5100, 17000} {
		for i, s := range tshark(t, port, packets) {
			p := new(ostp.Packet)
			e := Explain(packets[i])
			trailer, err := ostp.ParseTolerant(p, packets[i])
			switch {
			case e.packet == nil:
				s.check(t, packets[i], map[string]string{"ostp.pt": "", "ostp.crc.status": ""})
				continue
			case err != nil:
				s.check(t, packets[i], map[string]string{"ostp.crc.status": "bad"})
			default:
				status := []string{"good", "payload_big_endian", "packet_big_endian"}[trailer]
				s.check(t, packets[i], map[string]string{"ostp.crc.status": status})
			}
			s.check(t, packets[i], wanted(e.packet))
			wrong := e.Problem != "" && !e.badCRC && trailer == ostp.TrailerStandard
			if (s["ostp.malformed"] != "") != wrong && !e.badCRC {
				t.Errorf("%.60X: Wireshark says malformed: %q, we say %q", packets[i], s["ostp.malformed"], e.Problem)
			}
		}
	}
}

// Every line of the vectors is read as we read it, and refused where we refuse it.
func TestWiresharkLines(t *testing.T) {
	lines := fromVectors(t, func(s string) ([]byte, error) {
		text, err := strconv.Unquote(`"` + s + `"`)
		return []byte(text), err
	}, "line")
	for i, s := range tshark(t, 5100, lines) {
		l, err := line.Parse(lines[i])
		if (s["ostp.malformed"] != "") != (err != nil) {
			t.Errorf("%.60q: Wireshark says malformed: %q, we say %v", lines[i], s["ostp.malformed"], err)
		}
		want := map[string]string{}
		switch l := l.(type) {
		case line.Join:
			want["ostp.line.verb"], want["ostp.line.channel"], want["ostp.line.device"] = "JOIN", l.Channel, l.Device
			if l.Options == (line.Options{}) {
				want["ostp.line.options"] = ""
			}
		case line.Challenge:
			want["ostp.line.token"] = l.Token
		case line.Err:
			want["ostp.line.word"] = string(l.Word)
		case line.Signal:
			want["ostp.line.id"] = l.ID
		case line.PingPeer:
			want["ostp.line.address"] = l.Peer.String()
		}
		s.check(t, lines[i], want)
	}
}

// What shares the ports goes where it belongs.
func TestWiresharkOthers(t *testing.T) {
	sr, err := control.AppendSender(nil, control.Sender{SSRC: 1, House: 1e18, Name: "attic"})
	if err != nil {
		t.Fatal(err)
	}
	probe := make([]byte, 25)
	probe[0], probe[1] = 0x7D, 5
	all := tshark(t, 5100, [][]byte{sr, probe, {0x7D}, {0}})
	all[0].check(t, sr, map[string]string{"rtcp.pt": "200 202", "ostp.pt": ""})
	all[1].check(t, probe, map[string]string{"ostp.probe.t1": "5"})
}

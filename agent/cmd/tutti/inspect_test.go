package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/internal/pcap"
	"github.com/tutti-audio/tutti/ostp"
)

const v1 = "90600001000001E0DEADBEEF4F53000200010000000001E0F8FFFE17F498ED"

// writeCapture writes packets with these sequence numbers, 20 ms apart, and a line.
func writeCapture(t *testing.T, sequences ...uint32) string {
	t.Helper()
	f := pcap.Form{Order: binary.LittleEndian, Link: pcap.LinkEthernet}
	d := pcap.Datagram{From: netip.MustParseAddrPort("192.0.2.1:40000"), To: netip.MustParseAddrPort("239.69.0.1:5004")}
	at := time.Unix(1e9, 0)
	file := f.AppendHeader(nil)
	for _, s := range sequences {
		p := ostp.Packet{StreamID: 3, MediaTimestamp: s * 960, Payload: make([]byte, 100-28)}
		p.SSRC, p.PayloadType = 0xABCD, uint8(ostp.Opus)
		p.SetSequence(s)
		d.Payload, _ = ostp.AppendPacket(nil, &p)
		file = f.AppendFrame(file, at, f.AppendUDP(nil, d))
		at = at.Add(20 * time.Millisecond)
	}
	d.Payload = []byte("JOIN:house\x1b[2J\n")
	file = f.AppendFrame(file, at, f.AppendUDP(nil, d))
	file = f.AppendFrame(file, at, make([]byte, 60)) // no IP
	path := filepath.Join(t.TempDir(), "x.pcap")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestInspect(t *testing.T) {
	path := writeCapture(t, 1, 2, 5, 4, 4, 6)
	code, out, errs := command(t, nil, "inspect", path)
	for _, want := range []string{
		"#1  0.000000 s  192.0.2.1:40000 > 239.69.0.1:5004  OSTP media  opus  seq 1  media 0.020000 s",
		"good (whole packet, little-endian)", "gap: seq 3–4 missing (2)", "late: after seq 5", "* duplicate",
		"besides: 1 frames without UDP", "datagrams from 2001-09-09T01:46:40Z on: 1 control line, 6 OSTP media",
		"0000ABCD  3       opus  6        1     1          1      0        0          40.0 kb/s  0.100 s   0.100 s",
	} {
		if code != exitOK || errs != "" || !strings.Contains(out, want) {
			t.Fatalf("%d, %q: %q is missing in\n%s", code, errs, want, out)
		}
	}
	if strings.Contains(out, "\x1b") {
		t.Error("what steers a terminal gets through")
	}
	_, brief, _ := command(t, nil, "inspect", "--brief", path)
	_, summary, _ := command(t, nil, "inspect", "--summary", path)
	if strings.Contains(brief, "stream_id") || !strings.Contains(brief, "#5") || strings.Contains(summary, "#5") || !strings.Contains(summary, "0000ABCD") {
		t.Errorf("brief:\n%s\nsummary:\n%s", brief, summary)
	}
}

func TestInspectHex(t *testing.T) {
	spaced := strings.TrimSpace(fmt.Sprintf("% X", bytes.Repeat([]byte{0xAB}, 3)))
	for args, want := range map[string]string{
		v1: "SSRC                       DEADBEEF", "0x" + strings.ToLower(v1): "good (whole packet",
		strings.Replace(v1, "F8FFFE", "07FFFE", 1): "bad CRC: a receiver drops it",
		"ab:ab:ab": "3 bytes: ABABAB", spaced: "3 bytes: ABABAB",
	} {
		code, out, errs := command(t, nil, append([]string{"inspect"}, strings.Fields(args)...)...)
		if code != exitOK || !strings.Contains(out, want) {
			t.Errorf("%s: %d, %s\n%s", args, code, errs, out)
		}
	}
	path := filepath.Join(t.TempDir(), "x.txt")
	if err := os.WriteFile(path, []byte("# two\n"+v1+"\n\n"+v1+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := command(t, nil, "inspect", path); code != exitOK || !strings.Contains(out, "* duplicate") {
		t.Errorf("%d, %s\n%s", code, errs, out)
	}
}

func TestInspectRefusals(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	capture, _ := os.ReadFile(writeCapture(t, 1, 2))
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"inspect"}, exitMisused, "requires at least 1 arg"},
		{[]string{"inspect", filepath.Join(dir, "none")}, exitFailed, "give a capture, or a packet in hexadecimal"},
		{[]string{"inspect", write("b", "")}, exitNotFound, "no packets"},
		{[]string{"inspect", write("c", "hello\n")}, exitFailed, "line 1: this is no hexadecimal"},
		{[]string{"inspect", write("d", "x"), "b"}, exitMisused, "one file at a time"},
		{[]string{"inspect", write("e", "\x0A\x0D\x0D\x0A"+strings.Repeat("x", 40))}, exitFailed, "editcap -F pcap"},
		{[]string{"inspect", write("f", string(capture[:len(capture)-9]))}, exitFailed, "what came before it is whole"},
		{[]string{"inspect", write("g", string(pcap.Form{Order: binary.BigEndian, Link: 105}.AppendHeader(nil)))}, exitNotFound, "no packets"},
	} {
		code, out, errs := command(t, nil, c.args...)
		if code != c.code || !strings.Contains(errs, c.want) {
			t.Errorf("%q: %d, %s\n%s", c.args, code, errs, out)
		}
	}
}

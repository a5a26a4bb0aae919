package pcap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"
)

var (
	at    = time.Date(2026, 5, 4, 3, 2, 1, 123456789, time.UTC)
	ends4 = Datagram{From: netip.MustParseAddrPort("192.0.2.1:40000"), To: netip.MustParseAddrPort("239.69.0.1:5004"), Payload: []byte("sound")}
	ends6 = Datagram{From: netip.MustParseAddrPort("[2001:db8::1]:40000"), To: netip.MustParseAddrPort("[ff05::1]:5004"), Payload: []byte("sound")}
)

func forms() (all []Form) {
	for _, link := range []Link{LinkNull, LinkEthernet, LinkRaw, LinkLoop, LinkCooked, LinkCooked2} {
		for _, nano := range []bool{false, true} {
			all = append(all, Form{binary.LittleEndian, nano, link}, Form{binary.BigEndian, nano, link})
		}
	}
	return all
}

func same(a, b Datagram) bool {
	return a.From == b.From && a.To == b.To && bytes.Equal(a.Payload, b.Payload)
}

func TestEveryForm(t *testing.T) {
	for _, f := range forms() {
		file := f.AppendHeader(nil)
		for _, d := range []Datagram{ends4, ends6} {
			file = f.AppendFrame(file, at, f.AppendUDP(nil, d))
		}
		r, err := NewReader(bytes.NewReader(file))
		if err != nil || r.Link() != f.Link || !IsCapture(file) {
			t.Fatalf("%v: %v", f, err)
		}
		for _, want := range []Datagram{ends4, ends6} {
			frame, err := r.Next()
			if err != nil {
				t.Fatalf("%v: %v", f, err)
			}
			if d, err := ParseFrame(r.Link(), frame.Data); err != nil || !same(d, want) {
				t.Errorf("%v: %v, %v; want %v", f, d, err, want)
			}
			exact := at
			if !f.Nano {
				exact = at.Truncate(time.Microsecond)
			}
			if !frame.At.Equal(exact) || frame.Length != len(frame.Data) {
				t.Errorf("%v: at %v, %d bytes", f, frame.At, frame.Length)
			}
		}
		if _, err := r.Next(); !errors.Is(err, io.EOF) || errors.Is(err, ErrFormat) {
			t.Errorf("%v: at the end %v", f, err)
		}
	}
}

// ethernet returns a frame with an IP packet changed.
func ethernet(d Datagram, change func(ip []byte)) []byte {
	b := Form{binary.LittleEndian, false, LinkEthernet}.AppendUDP(nil, d)
	change(b[14:])
	return b
}

func TestFrames(t *testing.T) {
	tagged := ethernet(ends4, func([]byte) {})
	tagged = append(append(bytes.Clone(tagged[:12]), 0x88, 0xA8, 0, 5, 0x81, 0, 0, 7), tagged[12:]...)
	if d, err := ParseFrame(LinkEthernet, tagged); err != nil || !same(d, ends4) {
		t.Errorf("two VLAN tags: %v, %v", d, err)
	}
	padded := append(ethernet(ends4, func([]byte) {}), make([]byte, 20)...)
	if d, err := ParseFrame(LinkEthernet, padded); err != nil || !same(d, ends4) {
		t.Errorf("padding: %v, %v", d, err)
	}
	six := Form{Link: LinkRaw}.AppendUDP(nil, ends6)
	six[6] = 0 // hop-by-hop options
	six = append(append(bytes.Clone(six[:40]), protocolUDP, 0, 1, 4, 0, 0, 0, 0), six[40:]...)
	if d, err := ParseFrame(LinkRaw, six); err != nil || !same(d, ends6) {
		t.Errorf("IPv6 options: %v, %v", d, err)
	}
	six[6] = 44
	six[40+3] = 1 // more fragments
	for name, test := range map[string]struct {
		link  Link
		frame []byte
		want  error
	}{
		"fragment":   {LinkEthernet, ethernet(ends4, func(ip []byte) { ip[6] = 0x20 }), ErrFragment},
		"fragment 6": {LinkRaw, six, ErrFragment},
		"TCP":        {LinkEthernet, ethernet(ends4, func(ip []byte) { ip[9] = 6 }), ErrOther},
		"IP 5":       {LinkEthernet, ethernet(ends4, func(ip []byte) { ip[0] = 0x55 }), ErrOther},
		"UDP length": {LinkEthernet, ethernet(ends4, func(ip []byte) { ip[24], ip[25] = 0, 7 }), ErrOther},
		"cut":        {LinkEthernet, ethernet(ends4, func([]byte) {})[:44], ErrCut},
		"cut early":  {LinkEthernet, ethernet(ends4, func([]byte) {})[:30], ErrCut},
		"nothing":    {LinkCooked2, nil, ErrCut},
		"ARP":        {LinkCooked, append(make([]byte, 14), 8, 6), ErrOther},
		"Wi-Fi":      {105, nil, ErrLink},
	} {
		if _, err := ParseFrame(test.link, test.frame); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

func TestDamaged(t *testing.T) {
	f := Form{binary.LittleEndian, false, LinkRaw}
	good := f.AppendFrame(f.AppendHeader(nil), at, []byte("frame"))
	huge := bytes.Clone(good)
	huge[fileHeader+11] = 0x7F
	for name, file := range map[string][]byte{"cut": good[:len(good)-1], "cut header": good[:fileHeader+3], "huge": huge} {
		r, err := NewReader(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Next(); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for want, file := range map[string]string{"editcap": "\x0A\x0D\x0D\x0A" + strings.Repeat("x", 30), "no pcap file": strings.Repeat("x", 30), "header": "x"} {
		if _, err := NewReader(strings.NewReader(file)); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", file, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	for _, form := range forms() {
		f.Add(form.AppendFrame(form.AppendHeader(nil), at, form.AppendUDP(nil, ends6)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		for {
			frame, err := r.Next()
			if err != nil {
				return
			}
			_, _ = ParseFrame(r.Link(), frame.Data)
		}
	})
}

func FuzzFrame(f *testing.F) {
	for _, form := range forms() {
		f.Add(uint32(form.Link), form.AppendUDP(nil, ends4))
		f.Add(uint32(form.Link), form.AppendUDP(nil, ends6))
	}
	f.Fuzz(func(t *testing.T, link uint32, b []byte) {
		d, err := ParseFrame(Link(link), b)
		if err != nil {
			return
		}
		form := Form{binary.BigEndian, false, LinkRaw}
		if again, err := ParseFrame(LinkRaw, form.AppendUDP(nil, d)); err != nil || !same(again, d) {
			t.Fatalf("%v, written and read: %v, %v", d, again, err)
		}
	})
}

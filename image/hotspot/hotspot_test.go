package hotspot

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/tutti-audio/tutti/image/setup"
)

func TestName(t *testing.T) {
	for mac, want := range map[string]string{"b8:27:eb:01:ab:cd\n": "Tutti-ABCD", "": "Tutti", "1:2": "Tutti"} {
		if got := Name(mac); got != want {
			t.Errorf("%q: %q, want %q", mac, got, want)
		}
	}
}

func TestConfigurations(t *testing.T) {
	ap := string(AccessPoint("/run/x", "DE", "Tutti-ABCD"))
	for _, want := range []string{"ctrl_interface=DIR=/run/x\n", "country=DE\n", "\tssid=54757474692d41424344\n", "\tmode=2\n", "\tkey_mgmt=NONE\n"} {
		if !strings.Contains(ap, want) {
			t.Errorf("no %q in\n%s", want, ap)
		}
	}
	if idle := string(Idle("/run/x", "")); strings.Contains(idle, "country") || strings.Contains(idle, "network") {
		t.Errorf("idle:\n%s", idle)
	}
	if n := string(Network()); !strings.Contains(n, "Address=192.168.73.1/24\n") || !strings.Contains(n, "DNS=192.168.73.1\n") {
		t.Errorf("network:\n%s", n)
	}
}

func TestParseScan(t *testing.T) {
	text := "bssid / frequency / signal level / flags / ssid\n" +
		"02:00:00:00:01:00\t2437\t-71\t[WPA2-PSK-CCMP][ESS]\tHome\n" +
		"02:00:00:00:01:01\t5180\t-48\t[WPA2-PSK-CCMP][WPA2-SAE-CCMP][ESS]\tHome\n" +
		"02:00:00:00:02:00\t2412\t-60\t[WPA2-SAE-CCMP][ESS]\tNew\n" +
		"02:00:00:00:03:00\t2412\t-80\t[ESS]\tCaf\\xc3\\xa9 \\\"1\\\"\n" +
		"02:00:00:00:04:00\t2412\t-81\t[WPA2-EAP-CCMP][ESS]\tOffice\n" +
		"02:00:00:00:05:00\t2412\t-82\t[WEP][ESS]\tOld\n" +
		"02:00:00:00:06:00\t2412\t-20\t[ESS]\t\n" +
		"02:00:00:00:07:00\t2412\t-20\t[ESS]\tTutti-ABCD\n" +
		"02:00:00:00:08:00\t2412\t-20\t[ESS]\t\\xff\n" +
		"02:00:00:00:09:00\t2412\t-20\t[ESS]\ta\\nb\n" +
		"02:00:00:00:0a:00\t2412\tloud\t[ESS]\tx\nrubbish\n"
	got := ParseScan(text, "Tutti-ABCD")
	var names []string
	for _, w := range got {
		names = append(names, w.Name)
	}
	if want := `Home,New,Café "1",Office,Old`; strings.Join(names, ",") != want {
		t.Fatalf("%q, want %q", names, want)
	}
	if got[0].Signal != -48 || got[0].Bars() != 4 || got[0].Open || got[0].Cannot != "" {
		t.Errorf("%+v", got[0])
	}
	if !got[2].Open || got[2].Bars() != 1 {
		t.Errorf("%+v", got[2])
	}
	for _, i := range []int{1, 3, 4} {
		if got[i].Cannot == "" || got[i].Open {
			t.Errorf("%+v", got[i])
		}
	}
}

func TestJoining(t *testing.T) {
	for _, c := range []struct {
		events, problem     string
		connected, hopeless bool
	}{
		{"", "was not found", false, false},
		{"<3>CTRL-EVENT-NETWORK-NOT-FOUND ", "was not found", false, false},
		{"<3>CTRL-EVENT-CONNECTED - Connection to 02:00 completed [id=0 id_str=]", "no address", true, false},
		{"<3>CTRL-EVENT-CONNECTED - x\n<3>CTRL-EVENT-DISCONNECTED bssid=x reason=3", "broke off", false, false},
		{"<3>CTRL-EVENT-SSID-TEMP-DISABLED id=0 ssid=\"x\" auth_failures=1 duration=10 reason=WRONG_KEY", "passphrase", false, false},
		{strings.Repeat("<3>CTRL-EVENT-SSID-TEMP-DISABLED id=0 reason=WRONG_KEY\n", 2), "passphrase", false, true},
		{"<3>CTRL-EVENT-ASSOC-REJECT bssid=x status_code=1", "refused", false, false},
		{"Trying to associate with 02:00 (SSID='x' freq=2437 MHz)", "broke off", false, false},
	} {
		var j Joining
		for _, line := range strings.Split(c.events, "\n") {
			j.Event(line)
		}
		if p := j.Problem("x"); !strings.Contains(p, c.problem) || j.Connected() != c.connected || j.Hopeless() != c.hopeless {
			t.Errorf("%q: %q, %v, %v", c.events, p, j.Connected(), j.Hopeless())
		}
	}
}

// The name server as a client sees it, by UDP and TCP.
func TestNames(t *testing.T) {
	here := netip.MustParseAddr(Address)
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", udp.LocalAddr().String())
	if err != nil {
		t.Skip(err)
	}
	for _, s := range []*dns.Server{{PacketConn: udp, Handler: Names(here)}, {Listener: tcp, Handler: Names(here)}} {
		go func() { _ = s.ActivateAndServe() }()
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	for _, network := range []string{"udp", "tcp"} {
		c := dns.Client{Net: network, Timeout: 10 * time.Second}
		for _, q := range []struct {
			name    string
			kind    uint16
			answers int
		}{{"connectivitycheck.gstatic.com.", dns.TypeA, 1}, {"captive.apple.com.", dns.TypeAAAA, 0}, {"x.", dns.TypeHTTPS, 0}} {
			m := new(dns.Msg)
			m.SetQuestion(q.name, q.kind)
			r, _, err := c.Exchange(m, udp.LocalAddr().String())
			if err != nil || r.Rcode != dns.RcodeSuccess || len(r.Answer) != q.answers {
				t.Errorf("%s %s: %v, %v", network, q.name, r, err)
				continue
			}
			if a, ok := append(r.Answer, nil)[0].(*dns.A); q.answers == 1 && (!ok || a.A.String() != Address) {
				t.Errorf("%s %s: %v", network, q.name, r.Answer)
			}
		}
	}
}

func TestAnswerRefuses(t *testing.T) {
	here := netip.MustParseAddr(Address)
	m := new(dns.Msg)
	m.SetQuestion("x.", dns.TypeA)
	m.Question[0].Qclass = dns.ClassCHAOS
	if r := Answer(m, here); r.Rcode != dns.RcodeRefused {
		t.Errorf("%v", r)
	}
	m.SetUpdate("x.")
	if r := Answer(m, here); r.Rcode != dns.RcodeNotImplemented {
		t.Errorf("%v", r)
	}
	m.Response = true
	if r := Answer(m, here); r != nil {
		t.Errorf("an answer is answered: %v", r)
	}
}

func TestChoice(t *testing.T) {
	found := []WiFi{{Name: "Home"}, {Name: "Open", Open: true}, {Name: "New", Cannot: "is WPA3 only"}}
	for _, c := range []struct {
		choice Choice
		field  string
	}{
		{Choice{WiFi: "Home", Passphrase: "correct horse", Country: "DE", Name: "Küche"}, ""},
		{Choice{WiFi: "Hidden", Passphrase: "correct horse"}, ""},
		{Choice{WiFi: "Open", Passphrase: "x"}, ""},
		{Choice{}, "wifi"},
		{Choice{WiFi: "Home"}, "passphrase"},
		{Choice{WiFi: "Home", Passphrase: "short"}, "passphrase"},
		{Choice{WiFi: "New", Passphrase: "correct horse"}, "wifi"},
		{Choice{WiFi: strings.Repeat("x", 33), Passphrase: "correct horse"}, "wifi"},
		{Choice{WiFi: "a\nb"}, "wifi"},
		{Choice{WiFi: "Open", Country: "D1"}, "country"},
		{Choice{WiFi: "Open", Name: strings.Repeat("x", 64)}, "name"},
		{Choice{WiFi: "Open", Room: "a\tb"}, "room"},
	} {
		err := c.choice.Check(found)
		f, ok := errors.AsType[*Fault](err)
		if c.field == "" && err != nil || c.field != "" && (!ok || f.Field != c.field || f.Text == "") {
			t.Errorf("%+v: %#v, want a fault of %q", c.choice, err, c.field)
		}
	}
}

// What the page sets is what the card's tutti.toml says, less the passphrase.
func TestStored(t *testing.T) {
	c := Choice{WiFi: "IEEE", Passphrase: "password", Country: "US", Name: "Shelf", Room: "Kitchen"}
	conf, err := c.Supplicant()
	if err != nil || bytes.Contains(conf, []byte("password")) || !bytes.Contains(conf, []byte("psk=f42c6fc52df0ebef9ebb4b90b38a5f90")) {
		t.Errorf("%s, %v", conf, err)
	}
	text, err := c.Card(setup.Example)
	if err != nil || bytes.Contains(text, []byte("password\"")) {
		t.Fatalf("%s, %v", text, err)
	}
	s, err := setup.Parse(text)
	if err != nil || s.Device != (setup.Device{WiFi: "IEEE", Country: "US"}) {
		t.Errorf("%+v, %v", s.Device, err)
	}
}

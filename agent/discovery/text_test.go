package discovery

import (
	"maps"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// throughWire packs and unpacks a TXT record.
func throughWire(t *testing.T, strs []string) []string {
	t.Helper()
	rr := &dns.TXT{Hdr: dns.RR_Header{Name: "x.local.", Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: strs}
	buf := make([]byte, 4096)
	n, err := dns.PackRR(rr, buf, 0, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	back, _, err := dns.UnpackRR(buf[:n], 0)
	if err != nil {
		t.Fatal(err)
	}
	return back.(*dns.TXT).Txt
}

func TestTextSurvivesTheWire(t *testing.T) {
	for _, text := range []map[string]string{
		{}, {"a": ""}, {"role": "source", "title": `\065 "Für Elise" = \\ 音`}, {"bin": "\x00\xff\x7f"}, {"k": strings.Repeat("v", 253)},
	} {
		strs, err := encodeText(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := decodeText(throughWire(t, strs)); !maps.Equal(got, text) {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestTextLimits(t *testing.T) {
	many := map[string]string{}
	for _, k := range []string{"a", "b", "c", "d", "e", "f"} {
		many[k] = strings.Repeat("v", 220)
	}
	for name, text := range map[string]map[string]string{
		"pair": {"k": strings.Repeat("v", 254)}, "all": many, "no key": {"": "x"}, "equals sign": {"a=b": "x"},
		"not ASCII": {"ü": "x"}, "case": {"a": "1", "A": "2"},
	} {
		if _, err := encodeText(text); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	delete(many, "f")
	if _, err := encodeText(many); err != nil {
		t.Errorf("1110 bytes: %v", err)
	}
}

func TestReceivedText(t *testing.T) {
	got := decodeText([]string{"Role=a", "role=b", "=c", "flag", "", "x=y=z"})
	want := map[string]string{"role": "a", "flag": "", "x": "y=z"}
	if !maps.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestNames(t *testing.T) {
	for _, raw := range []string{"Kitchen", "a.b", `a\b`, "Küche (2)", "tab\there", `q"uote;@`, strings.Repeat("x", 63)} {
		full := instanceName(raw, "_ostp._udp")
		if got := firstLabel(full); got != raw {
			t.Errorf("%q became %q by %q", raw, got, full)
		}
		if nameOf(full) != nameOf(strings.ReplaceAll(full, "_ostp", "_OSTP")) {
			t.Errorf("%q: case matters", full)
		}
	}
	if nameOf(strings.Repeat("x", 64)+".local.") != "" {
		t.Error("a label of 64 bytes was accepted")
	}
	for n, want := range map[int]string{1: "Kitchen", 2: "Kitchen (2)", 11: "Kitchen (11)"} {
		if got := renamed("Kitchen", n); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := renamed(strings.Repeat("ü", 31), 2); len(got) > 63 || !strings.HasPrefix(got, "üü") || !strings.HasSuffix(got, "ü (2)") {
		t.Errorf("%q", got)
	}
	for in, want := range map[string]string{"": "tutti", "Pi.lan": "Pi", "küche": "k-che", "-": "tutti"} {
		if got := hostLabel(in); got != want {
			t.Errorf("host %q became %q, want %q", in, got, want)
		}
	}
}

func TestServicesAreChecked(t *testing.T) {
	good := speaker("Kitchen")
	if err := good.check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Service){
		"no name": func(s *Service) { s.Instance = "" }, "long name": func(s *Service) { s.Instance = strings.Repeat("x", 64) },
		"bad UTF-8": func(s *Service) { s.Instance = "\xff" }, "no port": func(s *Service) { s.Port = 0 },
		"type": func(s *Service) { s.Type = "ostp" }, "transport": func(s *Service) { s.Type = "_ostp._sctp" },
		"alias": func(s *Service) { s.Aliases = []string{"_x y._udp"} }, "twice": func(s *Service) { s.Aliases = []string{"_OSTP._udp"} },
		"text": func(s *Service) { s.Text = map[string]string{"=": ""} },
	} {
		s := good
		if change(&s); s.check() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestEventsMerge(t *testing.T) {
	for _, c := range []struct {
		old, new, want Kind
		left           bool
	}{
		{Added, Updated, Added, true}, {Added, Removed, 0, false}, {Updated, Removed, Removed, true},
		{Removed, Added, Updated, true}, {Updated, Updated, Updated, true},
	} {
		got, left := merge(Event{Kind: c.old}, true, Event{Kind: c.new})
		if left != c.left || left && got.Kind != c.want {
			t.Errorf("%v then %v: %v %v", c.old, c.new, got.Kind, left)
		}
	}
}

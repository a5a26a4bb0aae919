package setup

import (
	"bytes"
	"strings"
	"testing"
)

func TestApply(t *testing.T) {
	all := Change{Name: "Küche", Room: `The "big" \ room`, WiFi: "My Net # 2", Country: "DE", Secret: true}
	for name, text := range map[string]string{
		"the example": string(Example), "nothing": "", "own": card, "no device": "volume = 3\n\n[hardware]\nled_pin = 17",
		"device first": "[device]\n# passphrase = \"x\"\n", "Windows": strings.ReplaceAll(string(Example), "\n", "\r\n"),
	} {
		out, err := all.Apply([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		s, err := Parse(out)
		if err != nil || s.Device.WiFi != all.WiFi || s.Device.Country != all.Country || s.Device.Passphrase != "" {
			t.Errorf("%s: %+v, %v:\n%s", name, s.Device, err, out)
		}
		if n, r, err := s.Names(); n != all.Name || r != all.Room || err != nil {
			t.Errorf("%s: %q, %q, %v:\n%s", name, n, r, err, out)
		}
		if !Forgotten(out) {
			t.Errorf("%s: it looks like an open network:\n%s", name, out)
		}
		if open, err := (Change{WiFi: "Open"}).Apply(out); err != nil || Forgotten(open) {
			t.Errorf("%s: an open network looks like one with a passphrase: %v\n%s", name, err, open)
		}
		if again, err := all.Apply(out); err != nil || !bytes.Equal(again, out) {
			t.Errorf("%s: twice gives %v\n%s", name, err, again)
		}
		if name == "own" && (!bytes.Contains(out, []byte("volume = 40")) || !bytes.Contains(out, []byte(`dac = "pcm5102a"`)) || bytes.Contains(out, []byte("correct horse"))) {
			t.Errorf("%s: more was changed:\n%s", name, out)
		}
	}
	if out, err := (Change{}).Apply(Example); err != nil || !bytes.Equal(out, Example) {
		t.Errorf("no change gives %v\n%s", err, out)
	}
}

func TestApplyRefuses(t *testing.T) {
	for text, c := range map[string]Change{
		"":                          {WiFi: strings.Repeat("x", 33)},
		"[device]\nwify = 1":        {WiFi: "x"},
		"name = '''\n[device]\n'''": {WiFi: "x"},
		"volume = ":                 {Name: "x"},
		"room = 1":                  {WiFi: "\xff"},
	} {
		if out, err := c.Apply([]byte(text)); err == nil {
			t.Errorf("%q with %+v gives\n%s", text, c, out)
		}
	}
}

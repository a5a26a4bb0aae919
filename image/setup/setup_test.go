package setup

import (
	"bytes"
	"strings"
	"testing"
)

const card = `# mine
name = "Kitchen" # in the corner
volume = 40

[device]
wifi = "My Net"
passphrase = "correct horse"
country = "DE"
dac = "pcm5102a"

[hardware]
led_pin = 17
`

func TestParse(t *testing.T) {
	s, err := Parse([]byte(card))
	if err != nil {
		t.Fatal(err)
	}
	if want := (Device{WiFi: "My Net", Passphrase: "correct horse", Country: "DE", DAC: "pcm5102a"}); s.Device != want {
		t.Errorf("device: %+v", s.Device)
	}
	agent := string(s.Agent)
	if strings.Contains(agent, "wifi") || !strings.Contains(agent, "[hardware]\nled_pin") || strings.Count(agent, "\n") != strings.Count(card, "\n") {
		t.Errorf("the agent's part:\n%s", agent)
	}
	if s, err := Parse(Example); err != nil || s.Device != (Device{}) {
		t.Errorf("the example: %+v, %v", s.Device, err)
	}
}

func TestForget(t *testing.T) {
	out := Forget([]byte(card))
	if bytes.Contains(out, []byte("correct horse")) {
		t.Errorf("the passphrase is still there:\n%s", out)
	}
	s, err := Parse(out)
	if err != nil || s.Device.WiFi != "My Net" || s.Device.Passphrase != "" || bytes.Count(out, []byte("\n")) != strings.Count(card, "\n") {
		t.Errorf("%+v, %v:\n%s", s.Device, err, out)
	}
	if len(out) != len(card) {
		t.Errorf("%d bytes became %d: what is left of the old ones could be read", len(card), len(out))
	}
	if again := Forget(out); !bytes.Equal(again, out) {
		t.Errorf("forgetting twice gives\n%s", again)
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"[device]\nwify = \"x\"":                              "line 2",
		"[device]\nwifi = x":                                  "line 2",
		"[device]\nwifi = \"x\"\npassphrase = \"short\"":      "8 to 63",
		"[device]\npassphrase = \"long enough\"":              "no wifi",
		"[device]\nwifi = \"" + strings.Repeat("x", 33) + `"`: "at most 32",
		"[device]\ncountry = \"Germany\"":                     "two capital letters",
		"[device]\ndac = \"hifiberry\"":                       "max98357a or pcm5102a",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q in it", text, err, want)
		}
	}
}

// The vectors of IEEE 802.11-2020, J.4.2.
func TestPSK(t *testing.T) {
	for _, v := range [][3]string{
		{"IEEE", "password", "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e"},
		{"ThisIsASSID", "ThisIsAPassword", "0dc0d6eb90555ed6419756b9a15ec3e3209b63df707dd508d14581f8982721af"},
	} {
		if got, err := PSK(v[0], v[1]); got != v[2] || err != nil {
			t.Errorf("%s, %s: %s, %v", v[0], v[1], got, err)
		}
	}
	d := Device{WiFi: "IEEE", Passphrase: "password", Country: "US"}
	b, err := d.Supplicant()
	if err != nil || bytes.Contains(b, []byte("password")) || !bytes.Contains(b, []byte("psk=f42c6fc5")) || !bytes.Contains(b, []byte("ssid=49454545")) {
		t.Errorf("%s, %v", b, err)
	}
	open := Device{WiFi: "Café"}
	if b, err := open.Supplicant(); err != nil || !bytes.Contains(b, []byte("key_mgmt=NONE")) {
		t.Errorf("%s, %v", b, err)
	}
}

// What Raspberry Pi Imager writes, in its shape.
func TestCloud(t *testing.T) {
	user := "#cloud-config\nhostname: bath\nmanage_etc_hosts: true\nusers:\n- default\n- name: me\n  ssh_authorized_keys:\n  - ssh-ed25519 AAAA me@home\n"
	network := "version: 2\nwifis:\n  wlan0:\n    dhcp4: true\n    regulatory-domain: \"GB\"\n    access-points:\n      \"Home\":\n        password: \"" + strings.Repeat("ab", 32) + "\"\n"
	for _, n := range []string{network, "network:\n  " + strings.ReplaceAll(strings.TrimSuffix(network, "\n"), "\n", "\n  ")} {
		var d Device
		if err := d.Cloud([]byte(user), []byte(n)); err != nil {
			t.Fatal(err)
		}
		if want := (Device{WiFi: "Home", Passphrase: strings.Repeat("ab", 32), Country: "GB", SSHKey: "ssh-ed25519 AAAA me@home", Hostname: "bath"}); d != want {
			t.Errorf("%+v", d)
		}
	}
	own := Device{WiFi: "Mine", Hostname: "hall"}
	if err := own.Cloud([]byte(user), []byte(network)); err != nil || own.WiFi != "Mine" || own.Passphrase != "" || own.Hostname != "hall" {
		t.Errorf("tutti.toml came second: %+v, %v", own, err)
	}
	if err := own.Cloud([]byte("{"), nil); err == nil {
		t.Error("broken user-data was taken")
	}
	var none Device
	if err := none.Cloud(nil, nil); err != nil || none != (Device{}) {
		t.Errorf("of nothing: %+v, %v", none, err)
	}
}

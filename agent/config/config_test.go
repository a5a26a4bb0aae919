package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tutti-audio/tutti/internal/nearest"
)

func TestParseSetsEveryKey(t *testing.T) {
	text := `
name = "Küche"        # with a comment
room = 'Ground floor'
channel = "house/1"
relay = "relay.example.org:5100"
password = "open sesame"
turn = true
gateway = false
source = "[fe80::1%eth0]:8401"
output = "virtual:ppm=120"
channel_map = "3+4"
volume = 7
trim_ms = -12.5
interface = "eth0"
state_dir = "/var/lib/x"
tolerant = true
legacy = false
log_level = "debug"
[http]
listen = "127.0.0.1:9000"
key = "correct horse" # refused below: it has a space
[experimental]
host_skew_ppm = -100
[hardware]
dac = "wm8960"
amplifier_pin = "GPIO22"
amplifier_on = "low"
amplifier_idle_s = 5
amplifier_settle_ms = 80.5
amplifier_chip = "tas5825m"
amplifier_bus = 3
amplifier_address = 0x4D
amplifier_gain_db = -12.5
light_pin = "gpiochip0:27"
light_on = "low"
button_play_pin = "GPIO5"
button_up_pin = "GPIO16"
button_down_pin = "GPIO6"
button_next_pin = "GPIO24"
encoder_a_pin = "GPIO23"
encoder_b_pin = "GPIO25"
volume_step = 2
`
	text = strings.Replace(text, "correct horse", "correct-horse", 1)
	c := Default()
	if err := Parse("f", []byte(text), &c); err != nil {
		t.Fatal(err)
	}
	want := Config{Name: "Küche", Room: "Ground floor", Channel: "house/1", Source: "[fe80::1%eth0]:8401", Relay: "relay.example.org:5100", Password: "open sesame", Turn: true, Output: "virtual:ppm=120",
		ChannelMap: "3+4", Volume: 7, TrimMS: -12.5, Interface: "eth0", StateDir: "/var/lib/x", Tolerant: true, Legacy: false,
		LogLevel: "debug", HTTP: HTTP{Listen: "127.0.0.1:9000", Key: "correct-horse"}, HostSkewPPM: -100,
		Hardware: Hardware{DAC: "wm8960", AmplifierPin: "GPIO22", AmplifierOn: "low", AmplifierIdleS: 5, AmplifierSettleMS: 80.5,
			AmplifierChip: "tas5825m", AmplifierBus: 3, AmplifierAddress: 0x4D, AmplifierGainDB: -12.5, LightPin: "gpiochip0:27", LightOn: "low",
			PlayPin: "GPIO5", UpPin: "GPIO16", DownPin: "GPIO6", NextPin: "GPIO24", EncoderAPin: "GPIO23", EncoderBPin: "GPIO25", VolumeStep: 2}}
	if c != want {
		t.Errorf("got %+v\nwant %+v", c, want)
	}
	for _, k := range Keys() { // a key that the text leaves out would be one that the test forgets
		if k.Text(c) == k.Text(Default()) {
			t.Errorf("%s was not set by the text", k.Name)
		}
	}
}

func TestProblemsNameFileLineAndRemedy(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"\n\nvolum = 5", `tutti.toml:3: unknown key "volum": did you mean "volume"?`},
		{"volume = 101", "tutti.toml:1: volume: 101 is out of range: use 0 to 100"},
		{"volume = \"5\"", "tutti.toml:1: volume takes a value of type integer: leave the quotes out"},
		{"volume = 5.5", "tutti.toml:1: volume takes a value of type integer"},
		{"volume = 99999999999", `"99999999999" is no integer: use 0 to 100`},
		{"trim_ms = nan", "tutti.toml:1: trim_ms: NaN is out of range: use -2000 to 2000"},
		{"name = Kitchen", "tutti.toml:1: "},
		{"name = 5", `tutti.toml:1: name takes a value of type string: write "5", in quotes`},
		{"name = \"a\nb\"", "tutti.toml:1: "},
		{"name = \"a\\tb\"", "control characters"},
		{"name = \"" + strings.Repeat("x", 64) + "\"", "has 64 bytes: use up to 63 bytes"},
		{"name = ''\nname = ''", "tutti.toml:2: name is set again: line 1 sets it already"},
		{"channel = \"a b\"", "tutti.toml:1: channel: channel name"},
		{"source = \"host\"", "use host:port"},
		{"source = \"host:99999\"", "use 0 to 65535"},
		{"output = \"plse\"", `did you mean "pulse"?`},
		{"channel_map = \"both\"", "channel_map: channel map"},
		{"interface = \"a/b\"", "`ip link`"},
		{"tolerant = 1", "tolerant takes a value of type boolean"},
		{"log_level = \"warning\"", `did you mean "warn"?`},
		{"[htp]\nlisten = ':1'\n[experimental]\nhost_skew_ppm = 501", "tutti.toml:1: unknown table [htp]: did you mean [http]?\ntutti.toml:4: experimental.host_skew_ppm: 501 is out of range"},
		{"[http]\nlisten = '8400'", "tutti.toml:2: http.listen: "},
		{"[http]\nport = 1", `unknown key "port"`},
		{"[http]\nname = 'x'", `did you mean "name", above all tables?`},
		{"listen = ':1'", `did you mean "listen" in [http]?`},
		{"[[http]]", "use [http]"},
		{"[hardware]\namplifier_pinn = 'GPIO4'", `tutti.toml:2: unknown key "amplifier_pinn": did you mean "amplifier_pin"?`},
		{"[hardware]\namplifier_pin = 'GPIO 4'", "tutti.toml:2: hardware.amplifier_pin: \"GPIO 4\" is no GPIO line"},
		{"[hardware]\namplifier_on = 'hi'", `"hi" is not known, did you mean "high"?`},
		{"[hardware]\ndac = 'hifiberry-amp'\n[hardware.x]\n", "tutti.toml:3: unknown table [hardware.x]"},
		{"[hardware]\ndac = 'hifiberry-dacplu'", `did you mean "hifiberry-dac"?`},
		{"[hardware]\namplifier_address = 0x78", "120 is out of range: use 0 to 0x77"},
		{"[http]\n[http]", "tutti.toml:2: [http] is set again"},
		{"http = { listn = ':1' }", `tutti.toml:1: unknown key "http.listn": did you mean "listen" in [http]?`},
		{"http.key = 'short'", "the key is unsuitable: use 8 to 128"},
		{"\n= 5", "tutti.toml:2: "},
	} {
		config := Default()
		err := Parse("tutti.toml", []byte(c.text), &config)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

func TestSecretsAreNotTold(t *testing.T) {
	c := Default()
	for _, text := range []string{"http.key = 'geheim!'", "http.key = 1234567", "http.key = 'geheim! geheim!'"} {
		err := Parse("f", []byte(text), &c)
		if err == nil || strings.Contains(err.Error(), "geheim") || strings.Contains(err.Error(), "1234567") {
			t.Errorf("%s: %v", text, err)
		}
	}
	c.HTTP.Key = "geheimgeheim"
	var b bytes.Buffer
	if err := Print(&b, c); err != nil || strings.Contains(b.String(), "geheim") {
		t.Errorf("printed: %v\n%s", err, b.String())
	}
}

func TestManyProblemsAreBounded(t *testing.T) {
	c := Default()
	err := Parse("f", []byte(strings.Repeat("x = 1\n", 1000)), &c)
	if n := strings.Count(err.Error(), "\n") + 1; n != maxProblems {
		t.Errorf("told %d problems, want %d", n, maxProblems)
	}
}

func TestPrintedFileReadsBack(t *testing.T) {
	want := Default()
	want.Name, want.Room, want.TrimMS, want.Interface = `Fr"ont \ ü`, "x", 0.1, "lo"
	var b bytes.Buffer
	if err := Print(&b, want); err != nil {
		t.Fatal(err)
	}
	got := Config{}
	if err := Parse("printed", b.Bytes(), &got); err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

// TestDocumentedFile: docs/tutti.toml is what the program prints.
func TestDocumentedFile(t *testing.T) {
	var want bytes.Buffer
	if err := Print(&want, Default()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("..", "..", "docs", "tutti.toml")
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("docs/tutti.toml is not what `tutti run --print-config` prints: renew it")
	}
}

func TestKeysAreWhole(t *testing.T) {
	names, flags := map[string]bool{}, map[string]bool{}
	for _, k := range Keys() {
		wired := strings.HasPrefix(k.Name, "hardware.") // does not change from run to run
		if k.Doc == "" || (k.Flag == "") != wired || names[k.Name] || k.Flag != "" && flags[k.Flag] {
			t.Errorf("key %q, flag %q: each needs a name, a description, and a flag of its own unless it is about wires", k.Name, k.Flag)
		}
		names[k.Name], flags[k.Flag] = true, true
		if k.Example != "" {
			if c := Default(); k.Set(&c, k.Example) != nil {
				t.Errorf("the example of %s is refused", k.Name)
			}
		}
	}
}

func TestLocate(t *testing.T) {
	dir := t.TempDir()
	env := func(name string) string { return map[string]string{"XDG_CONFIG_HOME": dir}[name] }
	path := filepath.Join(dir, "tutti", "tutti.toml")
	if got := Locate("given.toml", env); got != "given.toml" {
		t.Errorf("got %q, want the given file", got)
	}
	if got := Locate("", env); got == path {
		t.Error("found a file that is not there")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("volume = 3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := Locate("", env); got != path {
		t.Errorf("got %q, want %q", got, path)
	}
	if c, err := Load(path); err != nil || c.Volume != 3 || c.Output != "auto" {
		t.Errorf("loaded %+v, %v", c, err)
	}
	if _, err := Load(filepath.Join(dir, "none")); err == nil || !strings.Contains(err.Error(), "--print-config") {
		t.Errorf("a missing file: %v", err)
	}
	if err := os.WriteFile(path, make([]byte, maxFile+1), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "longer") {
		t.Errorf("a huge file: %v", err)
	}
}

func TestDefaultStateDir(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		uid  int
		want string
	}{
		{map[string]string{"STATE_DIRECTORY": "/s", "XDG_STATE_HOME": "/x"}, 0, "/s"},
		{map[string]string{"XDG_STATE_HOME": "/x", "HOME": "/h"}, 1000, "/x/tutti"},
		{map[string]string{"XDG_STATE_HOME": "relative", "HOME": "/h"}, 1000, "/h/.local/state/tutti"},
		{map[string]string{"HOME": "/root"}, 0, "/var/lib/tutti"},
		{nil, 1000, "/var/lib/tutti"},
	} {
		if got := DefaultStateDir(func(n string) string { return c.env[n] }, c.uid); got != c.want {
			t.Errorf("%v: got %s, want %s", c.env, got, c.want)
		}
	}
}

func TestNearest(t *testing.T) {
	all := []string{"volume", "mute", "trim"}
	for text, want := range map[string]string{"volum": "volume", "vloume": "volume", "MUTE": "mute", "tirm": "trim", "xyzzy": "", "": ""} {
		if got := nearest.To(text, all); got != want {
			t.Errorf("nearest to %q: got %q, want %q", text, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("[http]\nkey = 'x'\nvolum = 1"))
	f.Add([]byte("http = { listen = [1, 2], key = { } }"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c := Default()
		if Parse("f", text, &c) != nil {
			return
		}
		for _, k := range Keys() { // what was accepted is within the ranges
			if err := k.Set(&c, k.Text(c)); err != nil {
				t.Errorf("%s: %v", k.Name, err)
			}
		}
	})
}

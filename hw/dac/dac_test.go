package dac

import (
	"regexp"
	"testing"
)

// TestTable: every row can be used as it stands.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	pin := regexp.MustCompile(`^GPIO([0-9]|1[0-9]|2[0-7])$`)
	for _, m := range Models() {
		if m.Name == "" || m.Title == "" || m.Codec == "" || seen[m.Name] {
			t.Errorf("%+v: wants a name of its own, a title and a codec", m)
		}
		seen[m.Name] = true
		if a := m.Amplifier; a.Pin == "" && a.On != "" || a.Pin != "" && !pin.MatchString(a.Pin) || a.On != "" && a.On != "high" && a.On != "low" {
			t.Errorf("%s: amplifier %+v", m.Name, a)
		}
		if m.Address > 0x77 || m.Address != 0 && !m.Bus {
			t.Errorf("%s: address %#x", m.Name, m.Address)
		}
		if found, ok := Find(m.Name); !ok || found.Title != m.Title {
			t.Errorf("%s is not found", m.Name)
		}
	}
	if len(Names()) != len(seen) {
		t.Errorf("%d names of %d models", len(Names()), len(seen))
	}
}

func TestIdentify(t *testing.T) {
	for _, c := range []struct {
		seen Evidence
		want string
	}{
		{Evidence{}, ""},
		{Evidence{Vendor: "HiFiBerry", Product: "Amp2", Drivers: []string{"hifiberry,hifiberry-dacplus"}}, "hifiberry-amp2"}, // the EEPROM knows better
		{Evidence{Drivers: []string{"hifiberry,hifiberry-dacplus"}}, "hifiberry-dacplus"},
		{Evidence{Vendor: "IQaudIO Limited www.iqaudio.com", Product: "Pi-DigiAMP+"}, "iqaudio-digiampplus"},
		{Evidence{Vendor: "IQaudIO Limited www.iqaudio.com", Product: "Pi-DAC+"}, "iqaudio-dacplus"},
		{Evidence{Cards: []string{"vc4hdmi", "sndrpijustboomd"}}, "justboom-dac"},
		{Evidence{Chips: []string{"tas5805m"}}, "louder-raspberry"},
		{Evidence{Chips: []string{"pcm5122"}}, ""}, // found on too many
		{Evidence{Vendor: "Somebody", Product: "Weather station", Cards: []string{"", "PCH"}}, ""},
	} {
		m, ok := Identify(c.seen)
		if m.Name != c.want || ok != (c.want != "") {
			t.Errorf("%+v: %q, want %q", c.seen, m.Name, c.want)
		}
	}
}

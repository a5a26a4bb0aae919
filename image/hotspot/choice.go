package hotspot

import (
	"net/url"
	"strings"

	"github.com/tutti-audio/tutti/agent/config"
	"github.com/tutti-audio/tutti/image/setup"
)

// Choice is what a person chose on the page.
type Choice struct {
	WiFi, Passphrase, Country string
	Name, Room                string // empty: as they were
}

// Fault is what is wrong with one field of the form.
type Fault struct{ Field, Text string }

// Error implements error.
func (f *Fault) Error() string { return f.Text }

// otherValue is the value of the choice "another network": longer than any name.
const otherValue = "another network, whose name is written below"

// ReadForm takes a choice from a form that was sent.
func ReadForm(f url.Values) Choice {
	c := Choice{
		WiFi: f.Get("wifi"), Passphrase: f.Get("passphrase"), Country: strings.ToUpper(strings.TrimSpace(f.Get("country"))),
		Name: strings.TrimSpace(f.Get("name")), Room: strings.TrimSpace(f.Get("room")),
	}
	if c.WiFi == otherValue {
		c.WiFi = f.Get("other")
	}
	return c
}

// Check refuses what could not work; found is what was seen around.
func (c *Choice) Check(found []WiFi) error {
	if c.WiFi == "" {
		return &Fault{"wifi", "Choose a network, or write its name."}
	}
	for _, w := range found {
		switch {
		case w.Name != c.WiFi:
		case w.Cannot != "":
			return &Fault{"wifi", "The speaker cannot join “" + w.Name + "”: it " + w.Cannot + "."}
		case !w.Open && c.Passphrase == "":
			return &Fault{"passphrase", "“" + w.Name + "” asks for a passphrase."}
		case w.Open:
			c.Passphrase = ""
		}
	}
	for _, f := range []struct{ field, value string }{{"name", c.Name}, {"room", c.Room}} {
		if f.value == "" {
			continue
		}
		if err := config.CheckName(f.value); err != nil {
			return &Fault{f.field, "The " + f.field + " has up to 63 bytes on one line."}
		}
	}
	if c.Country != "" && !isCountry(c.Country) {
		return &Fault{"country", "The country has two letters, such as DE."}
	}
	d := c.device()
	if err := d.Check(); err != nil {
		field := "wifi"
		if strings.Contains(err.Error(), "passphrase") {
			field = "passphrase"
		}
		return &Fault{field, capital(strings.TrimPrefix(err.Error(), "tutti.toml: ")) + "."}
	}
	return nil
}

func (c *Choice) device() setup.Device {
	return setup.Device{WiFi: c.WiFi, Passphrase: c.Passphrase, Country: c.Country}
}

// Supplicant is the configuration that joins the network; it holds a hash of the
// passphrase.
func (c *Choice) Supplicant() ([]byte, error) {
	d := c.device()
	return d.Supplicant()
}

// Card returns a card's tutti.toml with the choice in it, and no passphrase.
func (c *Choice) Card(text []byte) ([]byte, error) {
	return setup.Change{Name: c.Name, Room: c.Room, WiFi: c.WiFi, Country: c.Country, Secret: c.Passphrase != ""}.Apply(text)
}

func isCountry(s string) bool {
	return len(s) == 2 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// countryOf guesses it from the languages that a browser asks for: "de-CH,de;q=0.9".
func countryOf(languages string) string {
	first, _, _ := strings.Cut(languages, ",")
	first, _, _ = strings.Cut(first, ";")
	if i := strings.LastIndexByte(first, '-'); i >= 0 {
		if c := strings.ToUpper(strings.TrimSpace(first[i+1:])); isCountry(c) {
			return c
		}
	}
	return ""
}

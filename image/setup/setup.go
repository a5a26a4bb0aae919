// Package setup reads what a person, or Raspberry Pi Imager, wrote on the boot
// partition of a card, and says what of it goes where.
//
// The file tutti.toml on the card is the agent's own configuration with one table
// more, [device], which is about the machine. Beside it the part of cloud-init's
// files that Imager writes is understood: hostname and SSH keys of user-data, the
// Wi-Fi of network-config. What tutti.toml says comes first. The package is pure.
package setup

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Example is the tutti.toml of a new card.
//
//go:embed example.toml
var Example []byte

// Device is the machine's part of the settings.
type Device struct {
	WiFi       string `toml:"wifi"`
	Passphrase string `toml:"passphrase"` // plain, or the 64 hexadecimal digits of its hash
	Country    string `toml:"country"`    // ISO 3166-1, two letters
	DAC        string `toml:"dac"`
	SSHKey     string `toml:"ssh_key"`
	Hostname   string `toml:"hostname"`
}

// Settings is a tutti.toml taken apart.
type Settings struct {
	Device Device
	Agent  []byte // the rest, with comments and line numbers as they were
}

// DACs returns the names that dac may have.
func DACs() []string { return []string{"", "max98357a", "pcm5102a"} }

const (
	maxSSID   = 32
	minSecret = 8
	maxSecret = 63
)

// Parse reads a tutti.toml. Errors name the line and what to write instead.
func Parse(text []byte) (s Settings, err error) {
	device, agent := split(text)
	s.Agent = agent
	d := toml.NewDecoder(bytes.NewReader(device)).DisallowUnknownFields()
	var all struct {
		Device Device `toml:"device"`
	}
	if err := d.Decode(&all); err != nil {
		return s, explain(err)
	}
	s.Device = all.Device
	return s, s.Device.Check()
}

// split separates the lines of [device] from all others; in each part the other's
// are empty, so that lines keep their numbers.
func split(text []byte) (device, agent []byte) {
	inside := false
	for _, line := range strings.SplitAfter(string(text), "\n") {
		if name, ok := tableOf(line); ok {
			inside = name == deviceTable
		}
		blank := ""
		if strings.HasSuffix(line, "\n") {
			blank = "\n"
		}
		if inside {
			device, agent = append(device, line...), append(agent, blank...)
		} else {
			device, agent = append(device, blank...), append(agent, line...)
		}
	}
	return device, agent
}

// explain turns the decoder's errors into one line with a line number.
func explain(err error) error {
	if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok && len(strict.Errors) > 0 {
		row, _ := strict.Errors[0].Position()
		return fmt.Errorf("tutti.toml, line %d: [device] has no key %q: there are wifi, passphrase, country, dac, ssh_key and hostname",
			row, strings.Join(strict.Errors[0].Key(), "."))
	}
	if wrong, ok := errors.AsType[*toml.DecodeError](err); ok {
		row, _ := wrong.Position()
		return fmt.Errorf("tutti.toml, line %d: %w: texts need quotes, as in wifi = \"Name\"", row, err)
	}
	return fmt.Errorf("tutti.toml: %w", err)
}

// Check refuses what could not work.
func (d *Device) Check() error {
	switch {
	case len(d.WiFi) > maxSSID:
		return fmt.Errorf("tutti.toml: wifi is %d bytes long, the name of a network has at most %d", len(d.WiFi), maxSSID)
	case d.Passphrase != "" && d.WiFi == "":
		return errors.New("tutti.toml: there is a passphrase but no wifi: add the network's name")
	case d.Passphrase != "" && !isHash(d.Passphrase) && (len(d.Passphrase) < minSecret || len(d.Passphrase) > maxSecret):
		return fmt.Errorf("tutti.toml: the passphrase has %d characters, Wi-Fi wants %d to %d", len(d.Passphrase), minSecret, maxSecret)
	case d.Country != "" && (len(d.Country) != 2 || strings.ToUpper(d.Country) != d.Country):
		return fmt.Errorf("tutti.toml: country is %q, it has two capital letters, such as DE", d.Country)
	case !slices.Contains(DACs(), d.DAC):
		return fmt.Errorf("tutti.toml: dac is %q, it can be %s; USB and HDMI need none", d.DAC, strings.Join(DACs()[1:], " or "))
	case strings.ContainsAny(d.SSHKey+d.WiFi+d.Hostname, "\n\r\x00"):
		return errors.New("tutti.toml: a line break within a text")
	}
	return nil
}

// forgotten stands where a passphrase was. It is no longer than the shortest line
// that can hold one.
const forgotten = "# passphrase: hashed"

// Forgotten reports whether the network of a tutti.toml has a passphrase that was
// taken out: without one it is not an open network.
func Forgotten(text []byte) bool {
	device, _ := split(text)
	for _, line := range strings.Split(string(device), "\n") {
		if strings.TrimSpace(line) == forgotten {
			return true
		}
	}
	return false
}

// Forget returns a tutti.toml without its passphrase, in all else as it was, and as
// long: it can be written over the old one, of which nothing is left then.
func Forget(text []byte) []byte {
	device, _ := split(text)
	inDevice := strings.SplitAfter(string(device), "\n")
	var out strings.Builder
	for i, line := range strings.SplitAfter(string(text), "\n") {
		key, _, isPair := strings.Cut(inDevice[i], "=")
		if said := strings.TrimRight(line, "\r\n"); isPair && strings.TrimSpace(key) == "passphrase" && len(said) >= len(forgotten) {
			line = forgotten + strings.Repeat(" ", len(said)-len(forgotten)) + line[len(said):]
		}
		out.WriteString(line)
	}
	return []byte(out.String())
}

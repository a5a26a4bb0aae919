package hotspot

import (
	"fmt"
	"strings"
)

// Joining follows what wpa_supplicant tells of its way into a network. The zero
// value is at its beginning.
type Joining struct {
	connected, seen       bool
	wrong, refused, tries int
}

// enoughWrong is how many handshakes must fail before the passphrase is to blame: the
// first may also fail because the signal is weak.
const enoughWrong = 2

// Event takes one event of the control interface.
func (j *Joining) Event(line string) {
	if _, text, ok := strings.Cut(line, ">"); ok && strings.HasPrefix(line, "<") {
		line = text
	}
	switch event, rest, _ := strings.Cut(line, " "); event {
	case "CTRL-EVENT-CONNECTED":
		j.connected, j.seen = true, true
	case "CTRL-EVENT-DISCONNECTED":
		j.connected = false
	case "CTRL-EVENT-SSID-TEMP-DISABLED":
		if strings.Contains(rest, "reason=WRONG_KEY") {
			j.wrong++
		}
		j.seen = true
	case "CTRL-EVENT-ASSOC-REJECT", "CTRL-EVENT-AUTH-REJECT":
		j.refused, j.seen = j.refused+1, true
	case "CTRL-EVENT-NETWORK-NOT-FOUND":
		j.tries++
	case "Trying", "SME:", "Associated":
		j.seen = true
	}
}

// Connected reports whether the network has let us in.
func (j *Joining) Connected() bool { return j.connected }

// Hopeless reports whether waiting on is in vain.
func (j *Joining) Hopeless() bool { return j.wrong >= enoughWrong }

// Problem says, when the time is over, what was wrong and what to do.
func (j *Joining) Problem(name string) string {
	switch {
	case j.connected:
		return fmt.Sprintf("%q let the speaker in but gave it no address: start the router again, or look whether its DHCP is on.", name)
	case j.wrong > 0:
		return fmt.Sprintf("%q did not take the passphrase: write it again, capitals matter.", name)
	case j.refused > 0:
		return fmt.Sprintf("%q refused the speaker: look in the router for a list of allowed devices, and let it speak WPA2.", name)
	case j.seen:
		return fmt.Sprintf("%q broke off again and again: the signal may be too weak here, move the speaker or the router.", name)
	}
	return fmt.Sprintf("%q was not found: look how it is written; many boards see 2.4 GHz only.", name)
}

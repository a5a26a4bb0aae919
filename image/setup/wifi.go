package setup

import (
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // IEEE 802.11 wants it
	"encoding/hex"
	"fmt"
	"strings"
)

// isHash reports whether a passphrase is given as its hash already.
func isHash(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == pskSize
}

const (
	pskSize   = 32
	pskRounds = 4096
)

// PSK returns the key of a WPA network in hexadecimal (IEEE 802.11-2020, J.4).
func PSK(ssid, passphrase string) (string, error) {
	if isHash(passphrase) {
		return strings.ToLower(passphrase), nil
	}
	key, err := pbkdf2.Key(sha1.New, passphrase, []byte(ssid), pskRounds, pskSize)
	return hex.EncodeToString(key), err
}

// Supplicant returns the configuration of wpa_supplicant for the network, without the
// passphrase in readable form. WPA3 needs the passphrase itself, so a network that
// speaks only that is joined by nobody who keeps a hash: it must allow WPA2 too.
func (d *Device) Supplicant() ([]byte, error) {
	var b strings.Builder
	b.WriteString("ctrl_interface=DIR=/run/wpa_supplicant\nupdate_config=0\nap_scan=1\n")
	if d.Country != "" {
		fmt.Fprintf(&b, "country=%s\n", d.Country)
	}
	if d.WiFi != "" {
		fmt.Fprintf(&b, "network={\n\tssid=%s\n\tscan_ssid=1\n", hex.EncodeToString([]byte(d.WiFi)))
		if d.Passphrase == "" {
			b.WriteString("\tkey_mgmt=NONE\n}\n")
			return []byte(b.String()), nil
		}
		psk, err := PSK(d.WiFi, d.Passphrase)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "\tkey_mgmt=WPA-PSK WPA-PSK-SHA256\n\tieee80211w=1\n\tpsk=%s\n}\n", psk)
	}
	return []byte(b.String()), nil
}

// Package hotspot is the Wi-Fi that a speaker opens while it knows no other: what its
// programs are told, its name server, and the one page that asks for the network of
// the house. The device itself, wlan0, is the caller's (image/os).
//
// The network has no passphrase, since nobody could know it; so the page leaves the
// air unencrypted. Whoever minds writes the passphrase on the card instead. Signal
// strengths are in dBm, times in the names of their constants. A Page is safe for
// concurrent use; nothing else here has state.
//
// Sources: wpa_supplicant's own wpa_supplicant.conf and control interface
// documentation, systemd.network(5), RFC 1035 for the name server.
package hotspot

import (
	"encoding/hex"
	"fmt"
	"strings"
)

const (
	// Address is the speaker's, and the page's, in its own network.
	Address = "192.168.73.1"
	// Interface is the device.
	Interface = "wlan0"
	// frequency is channel 6, in MHz: allowed everywhere, and between the channels
	// that most access points choose.
	frequency = 2437
)

// Name is what the network of a speaker is called, by its hardware address.
func Name(mac string) string {
	const digits = 4
	mac = strings.ToUpper(strings.ReplaceAll(strings.TrimSpace(mac), ":", ""))
	if len(mac) < digits {
		return "Tutti"
	}
	return "Tutti-" + mac[len(mac)-digits:]
}

// head is what all configurations of wpa_supplicant begin with.
func head(control, country string) string {
	text := "ctrl_interface=DIR=" + control + "\nupdate_config=0\nap_scan=1\n"
	if country != "" {
		text += "country=" + country + "\n"
	}
	return text
}

// Idle is the configuration of a wpa_supplicant that only looks around. Control is
// the folder of its control socket.
func Idle(control, country string) []byte { return []byte(head(control, country)) }

// AccessPoint is the configuration of one that opens our network.
func AccessPoint(control, country, name string) []byte {
	return fmt.Appendf(nil, "%snetwork={\n\tssid=%s\n\tmode=2\n\tfrequency=%d\n\tkey_mgmt=NONE\n}\n",
		head(control, country), hex.EncodeToString([]byte(name)), frequency)
}

// Network is the file that has systemd-networkd give the device our address, and
// others to who joins.
func Network() []byte {
	return []byte(`[Match]
Name=` + Interface + `

[Network]
Address=` + Address + `/24
ConfigureWithoutCarrier=yes
LinkLocalAddressing=no
IPv6AcceptRA=no
MulticastDNS=no
LLMNR=no
DHCPServer=yes

[DHCPServer]
PoolOffset=10
PoolSize=100
DefaultLeaseTimeSec=300
MaxLeaseTimeSec=300
DNS=` + Address + `
EmitNTP=no
EmitTimezone=no
`)
}

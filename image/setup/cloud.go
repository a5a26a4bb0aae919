package setup

import (
	"fmt"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

// userData is what we read of cloud-init's user-data.
type userData struct {
	Hostname string   `yaml:"hostname"`
	SSHKeys  []string `yaml:"ssh_authorized_keys"`
	Users    []any    `yaml:"users"`
}

// networkConfig is what we read of its network-config (netplan, version 2).
type networkConfig struct {
	Network *networkConfig  `yaml:"network"` // the same again, inside
	WiFis   map[string]wifi `yaml:"wifis"`
}

type wifi struct {
	Country      string                 `yaml:"regulatory-domain"`
	AccessPoints map[string]accessPoint `yaml:"access-points"`
}

type accessPoint struct {
	Password string `yaml:"password"`
	Auth     struct {
		Password string `yaml:"password"`
	} `yaml:"auth"`
}

// Cloud fills in what tutti.toml left open from the files that Raspberry Pi Imager
// writes. Either may be empty.
func (d *Device) Cloud(user, network []byte) error {
	var u userData
	if err := yaml.Unmarshal(user, &u); err != nil {
		return fmt.Errorf("user-data: %w", err)
	}
	if d.Hostname == "" {
		d.Hostname = u.Hostname
	}
	keys := u.SSHKeys
	for _, one := range u.Users {
		if fields, ok := one.(map[string]any); ok {
			list, _ := fields["ssh_authorized_keys"].([]any)
			for _, key := range list {
				keys = append(keys, fmt.Sprint(key))
			}
		}
	}
	if d.SSHKey == "" && len(keys) > 0 {
		d.SSHKey = strings.TrimSpace(keys[0])
	}
	var n networkConfig
	if err := yaml.Unmarshal(network, &n); err != nil {
		return fmt.Errorf("network-config: %w", err)
	}
	if n.Network != nil {
		n = *n.Network
	}
	d.cloudWiFi(n)
	return d.Check()
}

// cloudWiFi takes the first network of the first interface, by name.
func (d *Device) cloudWiFi(n networkConfig) {
	if d.WiFi != "" {
		return
	}
	var names []string
	for name := range n.WiFis {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		w := n.WiFis[name]
		if d.Country == "" {
			d.Country = strings.ToUpper(strings.TrimSpace(w.Country))
		}
		for ssid, point := range w.AccessPoints {
			if d.WiFi == "" || ssid < d.WiFi {
				d.WiFi, d.Passphrase = ssid, point.Password+point.Auth.Password
			}
		}
		if d.WiFi != "" {
			return
		}
	}
}

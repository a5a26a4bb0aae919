package hotspot

import (
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// WiFi is a network that was found.
type WiFi struct {
	Name   string
	Signal int    // dBm
	Open   bool   // asks for no passphrase
	Cannot string // why a speaker cannot join it; "" if it can
}

// Bars is the signal as people know it, 1 to 4.
func (w WiFi) Bars() int {
	switch {
	case w.Signal >= -55:
		return 4
	case w.Signal >= -67:
		return 3
	case w.Signal >= -78:
		return 2
	}
	return 1
}

// maxNetworks is how many the page shows.
const maxNetworks = 24

// ParseScan reads wpa_supplicant's answer to SCAN_RESULTS: one line for each access
// point, with address, frequency, signal, flags and name between tabs. It returns the
// networks, the strongest first; those without a name, or with one that no
// configuration file can hold, are left out, and so is our own.
func ParseScan(text, own string) []WiFi {
	best := map[string]WiFi{}
	for _, line := range strings.Split(text, "\n") {
		f := strings.SplitN(strings.TrimRight(line, "\r"), "\t", 5)
		if len(f) < 5 {
			continue
		}
		signal, err := strconv.Atoi(f[2])
		name := unescape(f[4])
		if err != nil || name == "" || name == own || !utf8.ValidString(name) || strings.ContainsAny(name, "\n\r\x00") {
			continue
		}
		w := WiFi{Name: name, Signal: signal}
		w.Open, w.Cannot = kind(f[3])
		if old, ok := best[name]; !ok || old.Cannot != "" && w.Cannot == "" || signal > old.Signal && (old.Cannot == "") == (w.Cannot == "") {
			best[name] = w
		}
	}
	all := make([]WiFi, 0, len(best))
	for _, w := range best {
		all = append(all, w)
	}
	sort.Slice(all, func(i, j int) bool {
		if all[i].Signal != all[j].Signal {
			return all[i].Signal > all[j].Signal
		}
		return all[i].Name < all[j].Name
	})
	return all[:min(len(all), maxNetworks)]
}

// kind reads an access point's flags.
func kind(flags string) (open bool, cannot string) {
	switch {
	case strings.Contains(flags, "PSK"):
		return false, ""
	case strings.Contains(flags, "SAE"):
		return false, "WPA3 only: let the router allow WPA2 too"
	case strings.Contains(flags, "EAP"):
		return false, "wants a user name"
	case strings.Contains(flags, "OWE"):
		return false, "encrypts without a passphrase (OWE)"
	case strings.Contains(flags, "WEP"):
		return false, "uses WEP, which is broken"
	case strings.Contains(flags, "[IBSS]"), strings.Contains(flags, "[MESH]"):
		return false, "is no access point"
	}
	return true, ""
}

// unescape undoes how wpa_supplicant prints a name: \\, \", \e, \n, \r, \t and \xNN.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if at := strings.IndexByte("enrt", s[i]); at >= 0 {
			b.WriteByte("\x1b\n\r\t"[at])
			continue
		}
		if s[i] == 'x' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

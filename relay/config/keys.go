package config

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/tutti-audio/tutti/internal/nearest"
	"github.com/tutti-audio/tutti/ostp"
)

// lookUpWithin is how long a name of this host may take to be found.
const lookUpWithin = 5 * time.Second

// key is one setting of a Config.
type key struct {
	name  string // tables before dots
	tag   reflect.StructTag
	value reflect.Value
}

// keys lists what can be set in v, which begins with table.
func keys(v reflect.Value, table string) (list []key) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := table + f.Tag.Get("toml")
		switch f.Type.Kind() {
		case reflect.Struct:
			list = append(list, keys(v.Field(i), name+".")...)
		case reflect.Map:
		default:
			list = append(list, key{name, f.Tag, v.Field(i)})
		}
	}
	return list
}

// check reports what is wrong with a value, and the remedy.
func (k key) check() error {
	if limits := k.tag.Get("range"); limits != "" {
		low, high, _ := strings.Cut(limits, "-")
		least, _ := strconv.ParseInt(low, 10, 64)
		most, _ := strconv.ParseInt(high, 10, 64)
		if n := k.value.Int(); n < least || n > most {
			return fmt.Errorf("%d is out of range: use %s to %s", n, low, high)
		}
		return nil
	}
	switch k.tag.Get("check") {
	case "address":
		return checkAddress(k.value.String())
	case "address?":
		if k.value.String() != "" {
			return checkAddress(k.value.String())
		}
	case "level":
		return oneOf(k.value.String(), "debug", "info", "warn", "error")
	case "turn":
		return oneOf(k.value.String(), "off", "embedded", "coturn")
	case "ports":
		_, _, err := ParsePorts(k.value.String())
		return err
	}
	return nil
}

func oneOf(text string, choices ...string) error {
	for _, c := range choices {
		if c == text {
			return nil
		}
	}
	return fmt.Errorf("%q is not known%s: use %s", text, nearest.Hint(text, choices), strings.Join(choices, ", "))
}

func checkAddress(text string) error {
	_, _, err := splitAddress(text)
	return err
}

func splitAddress(text string) (host string, port uint16, err error) {
	host, digits, err := net.SplitHostPort(text)
	if err != nil {
		return "", 0, fmt.Errorf("%q is no address to listen on: use address:port or :port, such as :5100", text)
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("port %q: use 0 to 65535", digits)
	}
	return host, uint16(n), nil
}

// Address reads an address to listen on; an empty host is every address, and a name
// is looked up.
func Address(text string) (netip.AddrPort, error) {
	host, port, err := splitAddress(text)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if host == "" {
		return netip.AddrPortFrom(netip.IPv6Unspecified(), port), nil
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return netip.AddrPortFrom(addr, port), nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookUpWithin)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(found) == 0 {
		return netip.AddrPort{}, fmt.Errorf("%q is no address of this host: use one, or nothing before the colon for all: %w", host, err)
	}
	return netip.AddrPortFrom(found[0].Unmap(), port), nil
}

// ParsePorts reads a range of ports.
func ParsePorts(text string) (least, most uint16, err error) {
	low, high, _ := strings.Cut(text, "-")
	a, err1 := strconv.ParseUint(low, 10, 16)
	b, err2 := strconv.ParseUint(high, 10, 16)
	if errors.Join(err1, err2) != nil || a == 0 || a > b {
		return 0, 0, fmt.Errorf("%q is no range of ports: use one such as 49152-65535", text)
	}
	return uint16(a), uint16(b), nil
}

// together checks what concerns several keys; each error is under one key's name.
func (c Config) together() map[string]error {
	found := map[string]error{}
	for name := range c.Channel {
		if err := ostp.CheckChannel(name); err != nil {
			found["channel."+name] = err
		}
	}
	switch {
	case (c.TLS.Certificate == "") != (c.TLS.Key == ""):
		found["tls.certificate"] = errors.New("a certificate and its key go together: set tls.certificate and tls.key")
	case c.TLS.Certificate != "" && len(c.TLS.Domains) > 0:
		found["tls.domains"] = errors.New("a certificate is either of files or from ACME: set tls.certificate or tls.domains")
	}
	switch c.TURN.Mode {
	case "embedded":
		if _, err := netip.ParseAddr(c.TURN.Public); err != nil && c.TURN.Public != "" {
			found["turn.public"] = errors.New("the embedded server gives out an IP address: set turn.public to this host's as clients see it, or leave it empty")
		}
	case "coturn":
		if len(c.TURN.URLs) == 0 || c.TURN.Secret == "" {
			found["turn.mode"] = errors.New("coturn is elsewhere: set turn.urls and turn.secret")
		}
	}
	return found
}

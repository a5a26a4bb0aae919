package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tutti-audio/tutti/hw/panel"
	"github.com/tutti-audio/tutti/internal/nearest"
	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/sync/playout"
)

// The checks take the pointer that Key.field returns.

func between(low, high float64) func(any) error {
	return func(p any) error {
		var v float64
		switch p := p.(type) {
		case *int:
			v = float64(*p)
		case *float64:
			v = *p
		}
		if math.IsNaN(v) || v < low || v > high {
			return fmt.Errorf("%v is out of range", v)
		}
		return nil
	}
}

func oneOf(choices ...string) func(any) error {
	return func(p any) error {
		text := *p.(*string)
		for _, c := range choices {
			if text == c {
				return nil
			}
		}
		return fmt.Errorf("%q is not known%s: use %s", text, nearest.Hint(text, choices), strings.Join(choices, ", "))
	}
}

func orEmpty(check func(any) error) func(any) error {
	return func(p any) error {
		if *p.(*string) == "" {
			return nil
		}
		return check(p)
	}
}

func pin(p any) error {
	if text := *p.(*string); text != "" {
		return panel.CheckPin(text)
	}
	return nil
}

// CheckName reports what is wrong with a speaker's name, or nil.
func CheckName(name string) error {
	if name == "" {
		return errors.New("the name is empty: use 1 to 63 bytes")
	}
	if err := label(&name); err != nil {
		return fmt.Errorf("name %w: use 1 to 63 bytes", err)
	}
	return nil
}

// label is a name that fits a DNS-SD instance.
func label(p any) error {
	text := *p.(*string)
	switch {
	case len(text) > 63:
		return fmt.Errorf("%q has %d bytes", text, len(text))
	case !utf8.ValidString(text):
		return fmt.Errorf("%q is not UTF-8", text)
	case strings.ContainsFunc(text, unicode.IsControl):
		return fmt.Errorf("%q holds control characters", text)
	case strings.TrimSpace(text) != text:
		return fmt.Errorf("%q begins or ends with a space", text)
	}
	return nil
}

func channel(p any) error {
	if text := *p.(*string); text != "" {
		return ostp.CheckChannel(text)
	}
	return nil
}

func channelMap(p any) error {
	_, err := playout.ParseChannelMap(*p.(*string))
	return err
}

func hostPort(p any) error {
	text := *p.(*string)
	if text == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil || host == "" {
		return fmt.Errorf("%q is no address: use host:port, such as 192.168.1.20:8401", text)
	}
	return checkPort(port)
}

func listenAddress(p any) error {
	text := *p.(*string)
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return fmt.Errorf("%q is no address to listen on: use address:port or :port, such as %s", text, DefaultListen)
	}
	return checkPort(port)
}

func checkPort(text string) error {
	if _, err := strconv.ParseUint(text, 10, 16); err != nil {
		return fmt.Errorf("port %q: use 0 to 65535", text)
	}
	return nil
}

// outputKind checks the kind of output; its arguments are the output's business.
func outputKind(p any) error {
	kind, _, _ := strings.Cut(*p.(*string), ":")
	return oneOf("auto", "alsa", "pulse", "wav", "virtual", "null")(&kind)
}

// interfaceName follows the kernel: up to 15 bytes without space or slash.
func interfaceName(p any) error {
	text := *p.(*string)
	if len(text) > 15 || strings.ContainsAny(text, "/ \t\n") {
		return fmt.Errorf("%q is no interface: `ip link` lists them", text)
	}
	return nil
}

// Shortest and longest household key, in bytes.
const (
	minKey = 8
	maxKey = 128
)

func secret(p any) error {
	text := *p.(*string)
	if text == "" {
		return nil
	}
	printable := !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7F })
	if len(text) < minKey || len(text) > maxKey || !printable {
		return errors.New("the key is unsuitable")
	}
	return nil
}

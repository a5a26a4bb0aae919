package source

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jfreymuth/pulse/proto"
)

// pulseAddress is where a server may listen.
type pulseAddress struct{ network, address string }

// pulseAddresses returns where to look for the server: PULSE_SERVER alone where
// it is set, else the user's, else the system's.
func pulseAddresses() []pulseAddress {
	if list := os.Getenv("PULSE_SERVER"); list != "" {
		var all []pulseAddress
		for s := range strings.FieldsSeq(list) {
			all = append(all, parsePulseServer(s))
		}
		return all
	}
	var all []pulseAddress
	for _, dir := range []string{
		os.Getenv("PULSE_RUNTIME_PATH"),
		filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "pulse"),
		fmt.Sprintf("/run/user/%d/pulse", os.Getuid()),
		"/run/pulse",
	} {
		if filepath.IsAbs(dir) {
			all = append(all, pulseAddress{"unix", filepath.Join(dir, "native")})
		}
	}
	return all
}

// parsePulseServer reads one entry of PULSE_SERVER: a path, unix:, tcp: or a
// host, with an optional {machine} before it.
func parsePulseServer(s string) pulseAddress {
	if _, rest, ok := strings.Cut(s, "}"); ok && s[0] == '{' {
		s = rest
	}
	if path, ok := strings.CutPrefix(s, "unix:"); ok || strings.HasPrefix(s, "/") {
		return pulseAddress{"unix", path}
	}
	network := "tcp"
	for _, n := range []string{"tcp4", "tcp6", "tcp"} {
		if rest, ok := strings.CutPrefix(s, n+":"); ok {
			network, s = n, rest
			break
		}
	}
	if i := strings.LastIndexByte(s, ':'); i < 0 || strings.HasSuffix(s, "]") {
		s += ":4713"
	}
	return pulseAddress{network, s}
}

// greetPulse authenticates with the user's cookie; a server that admits its own
// user by the socket's credentials does not look at it.
func greetPulse(client *proto.Client) error {
	var reply proto.AuthReply
	if err := client.Request(&proto.Auth{Version: client.Version(), Cookie: pulseCookie()}, &reply); err != nil {
		return fmt.Errorf("the PulseAudio server does not let us in: %w", err)
	}
	client.SetVersion(reply.Version)
	name := proto.PropList{
		"application.name":      proto.PropListString("Tutti"),
		"application.icon_name": proto.PropListString("audio-x-generic"),
	}
	return client.Request(&proto.SetClientName{Props: name}, &proto.SetClientNameReply{})
}

// pulseCookie returns the user's cookie, or zeros.
func pulseCookie() []byte {
	home := os.Getenv("HOME")
	for _, path := range []string{
		os.Getenv("PULSE_COOKIE"),
		filepath.Join(home, ".config/pulse/cookie"),
		filepath.Join(home, ".pulse-cookie"),
	} {
		if b, err := os.ReadFile(path); err == nil && len(b) == 256 {
			return b
		}
	}
	return make([]byte, 256)
}

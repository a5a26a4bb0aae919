package inspect

import (
	"fmt"
	"strconv"

	"github.com/tutti-audio/tutti/ostp/line"
)

// lineFields names what a line says; empty fields are left out.
func lineFields(l line.Line) (fields []Field) {
	for _, f := range allLineFields(l) {
		if f.Value != "" {
			fields = append(fields, f)
		}
	}
	return fields
}

func allLineFields(l line.Line) []Field {
	switch l := l.(type) {
	case line.Join:
		return []Field{
			{"channel", l.Channel}, {"password", given(l.Password)}, {"name", l.Name}, {"device id", l.Device},
			{"wants FEC", yes(l.Options.FEC)}, {"wants to send", yes(l.Options.Send)}, {"wants no media", yes(l.Options.Quiet)},
		}
	case line.Leave:
		return []Field{{"channel", l.Channel}}
	case line.PingPeer:
		return []Field{{"peer", l.Peer.String()}, {"time", l.Time}}
	case line.Route:
		return []Field{{"peer", l.Peer.String()}, {"by the relay", strconv.FormatBool(l.Relay)}}
	case line.Signal:
		return []Field{{"member", l.ID}, {"payload", fmt.Sprintf("%d bytes of base64url", len(l.Payload))}}
	case line.Member:
		return []Field{{"member", l.ID}, {"role", string(l.Role)}}
	case line.Mode:
		return []Field{{"has a password", strconv.FormatBool(l.Private)}}
	case line.Err:
		return []Field{{"error", string(l.Word)}}
	case line.Challenge:
		return []Field{{"token", l.Token}, {"means", "echo this line as it came, to prove the address"}}
	}
	return nil // the others say all in their text
}

// given says that there is a password; the line's text shows it anyway.
func given(password string) string {
	if password == "" {
		return ""
	}
	return fmt.Sprintf("%d bytes, in the clear", len(password))
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

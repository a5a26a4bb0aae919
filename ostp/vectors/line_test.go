package vectors_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/tutti-audio/tutti/ostp/line"
)

func TestLines(t *testing.T) {
	all := readVectors(t, "line")
	counted(t, all, 100)
	for _, v := range all {
		text, err := strconv.Unquote(`"` + v.get("line") + `"`)
		if err != nil {
			t.Fatalf("%s: %v", v.at, err)
		}
		l, err := line.Parse([]byte(text))
		if want := v.get("error"); want != "" {
			is := map[string]error{"verb": line.ErrVerb, "format": line.ErrFormat, "too_long": line.ErrTooLong}[want]
			if is == nil || !errors.Is(err, is) {
				t.Errorf("%s: %v, want %s", v.at, err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", v.at, err)
			continue
		}
		fields := lineFields(l)
		again, err := line.Append(nil, l)
		if err != nil {
			t.Errorf("%s: %v", v.at, err)
		}
		fields["writes"] = strings.ReplaceAll(string(again), "\n", `\n`)
		for key, value := range fields {
			if value == "" {
				delete(fields, key)
			}
		}
		v.compare(t, fields)
	}
}

// lineFields names what a line says as the vectors do; empty fields are left out there.
func lineFields(l line.Line) map[string]string {
	switch l := l.(type) {
	case line.Join:
		var options []string
		for _, o := range []struct {
			set  bool
			word string
		}{{l.Options.FEC, "fec"}, {l.Options.Send, "send"}, {l.Options.Quiet, "quiet"}} {
			if o.set {
				options = append(options, o.word)
			}
		}
		return map[string]string{"verb": "JOIN", "channel": l.Channel, "password": l.Password, "name": l.Name, "device": l.Device, "options": strings.Join(options, ",")}
	case line.Leave:
		return map[string]string{"verb": "LEAVE", "channel": l.Channel}
	case line.PingPeer:
		return map[string]string{"verb": "PING", "address": l.Peer.String(), "time": l.Time}
	case line.Route:
		return map[string]string{"verb": "ROUTE", "address": l.Peer.String(), "way": map[bool]string{true: "relay", false: "p2p"}[l.Relay]}
	case line.Mode:
		return map[string]string{"verb": "MODE", "mode": map[bool]string{true: "private", false: "public"}[l.Private]}
	case line.Signal:
		return map[string]string{"verb": "SIGNAL", "id": l.ID, "payload": l.Payload}
	case line.Member:
		return map[string]string{"verb": "MEMBER", "id": l.ID, "role": string(l.Role)}
	}
	return simpleFields(l)
}

// simpleFields are those of lines with one field.
func simpleFields(l line.Line) map[string]string {
	one := func(verb, key, value string) map[string]string { return map[string]string{"verb": verb, key: value} }
	switch l := l.(type) {
	case line.Hello:
		return one("HELLO", "text", l.Text)
	case line.Ping:
		return one("PING", "text", l.Text)
	case line.Pong:
		return one("PONG", "text", l.Text)
	case line.Challenge:
		return one("CHALLENGE", "token", l.Token)
	case line.OK:
		return one("OK", "text", l.Text)
	case line.RoleIs:
		return one("ROLE", "role", string(l.Role))
	case line.YourAddr:
		return one("YOUR_ADDR", "address", l.Addr.String())
	case line.Session:
		return one("SESSION", "id", l.ID)
	case line.Peer:
		return one("PEER", "address", l.Addr.String())
	case line.Err:
		return one("ERR", "word", string(l.Word))
	case line.ID:
		return one("ID", "id", l.ID)
	case line.Gone:
		return one("GONE", "id", l.ID)
	case line.Description:
		return one("DESCRIPTION", "text", l.ETag)
	case line.Move:
		return one("MOVE", "text", l.Relay)
	}
	return map[string]string{"verb": fmt.Sprintf("%T", l)}
}

package line

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

var (
	v4 = netip.MustParseAddrPort("192.0.2.7:5100")
	v6 = netip.MustParseAddrPort("[2001:db8::1]:5100")
)

// written is each line as it is written.
var written = map[string]Line{
	"JOIN:house\n":                               Join{Channel: "house"},
	"JOIN:a:pw:Kitchen radio:dev-1\n":            Join{Channel: "a", Password: "pw", Name: "Kitchen radio", Device: "dev-1"},
	"JOIN:a:::aa:bb:cc:dd:ee:ff\n":               Join{Channel: "a", Device: "aa:bb:cc:dd:ee:ff"},
	"JOIN:a:::dev:fec,send\n":                    Join{Channel: "a", Device: "dev", Options: Options{FEC: true, Send: true}},
	"JOIN:a::::send\n":                           Join{Channel: "a", Options: Options{Send: true}},
	"LEAVE\n":                                    Leave{},
	"LEAVE:a\n":                                  Leave{"a"},
	"HELLO\n":                                    Hello{},
	"PING\n":                                     Ping{},
	"PING:17:x\n":                                Ping{"17:x"},
	"PING:192.0.2.7:5100:99\n":                   PingPeer{v4, "99"},
	"PING:[2001:db8::1]:5100:99\n":               PingPeer{v6, "99"},
	"PONG:17\n":                                  Pong{"17"},
	"ROUTE:192.0.2.7:5100:p2p\n":                 Route{v4, false},
	"ROUTE:[2001:db8::1]:5100:relay\n":           Route{v6, true},
	"CHALLENGE:ABCDEF2345\n":                     Challenge{"ABCDEF2345"},
	"SIGNAL:0123abcd:eyJ9_-\n":                   Signal{"0123abcd", "eyJ9_-"},
	"OK:joined\n":                                OK{"joined"},
	"ROLE:dj\n":                                  RoleIs{DJ},
	"YOUR_ADDR:[2001:db8::1]:5100\n":             YourAddr{v6},
	"SESSION:" + strings.Repeat("0a", 16) + "\n": Session{strings.Repeat("0a", 16)},
	"MODE:private\n":                             Mode{true},
	"MODE:public\n":                              Mode{false},
	"PEER:192.0.2.7:5100\n":                      Peer{v4},
	"ERR:wrong_password\n":                       Err{WrongPassword},
	"ID:0123abcd\n":                              ID{"0123abcd"},
	"MEMBER:0123abcd:owner\n":                    Member{"0123abcd", Owner},
	"GONE:0123abcd\n":                            Gone{"0123abcd"},
	"DESCRIPTION:5f3e\n":                         Description{"5f3e"},
	"MOVE:\n":                                    Move{},
	"MOVE:relay.example:5100\n":                  Move{"relay.example:5100"},
}

func TestWritten(t *testing.T) {
	for text, want := range written {
		if got, err := Parse([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %#v, %v", text, got, err)
		}
		if got, err := Append([]byte("x"), want); err != nil || string(got) != "x"+text {
			t.Errorf("%#v: %q, %v; want %q", want, got, err, text)
		}
	}
}

// Read is what is accepted besides what is written.
func TestRead(t *testing.T) {
	for text, want := range map[string]Line{
		"JOIN:a":                 Join{Channel: "a"},
		"JOIN:a\r\n":             Join{Channel: "a"},
		"JOIN a pw Name dev\n":   Join{Channel: "a", Password: "pw", Name: "Name", Device: "dev"},
		"JOIN a":                 Join{Channel: "a"},
		"LEAVE a\r\n":            Leave{"a"},
		"PING 17":                Ping{"17"},
		"JOIN:a::::\n":           Join{Channel: "a", Device: ":"}, // nothing that means anything
		"JOIN:a:::d:fec,later\n": Join{Channel: "a", Device: "d", Options: Options{FEC: true}},
		"JOIN:a:::d:later\n":     Join{Channel: "a", Device: "d:later"},
	} {
		got, err := Parse([]byte(text))
		if text == "JOIN:a::::\n" {
			if j, ok := got.(Join); err != nil || !ok || j.Channel != "a" {
				t.Errorf("%q: %#v, %v", text, got, err)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("%q: %#v, %v", text, got, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	for text, want := range map[string]error{
		"":                                    ErrVerb,
		"\n":                                  ErrVerb,
		"NOISE:1\n":                           ErrVerb,
		"JOIN\n":                              ErrFormat,
		"JOIN:\n":                             ErrFormat,
		"JOIN:a\nJOIN:b\n":                    ErrFormat,
		"JOIN:a:\x00\n":                       ErrFormat,
		"JOIN:a:\xFF\n":                       ErrFormat,
		"JOIN:a:::d:fec:send\n":               ErrFormat,
		"PEER:2001:db8::1:5100\n":             ErrFormat,
		"PEER:[192.0.2.7]:5100\n":             ErrFormat,
		"PEER:192.0.2.7:5100:1\n":             ErrFormat,
		"ROUTE:192.0.2.7:5100:pigeon\n":       ErrFormat,
		"SIGNAL:0123abcd:\n":                  ErrFormat,
		"SIGNAL:0123ABCD:x\n":                 ErrFormat,
		"HELLO:" + strings.Repeat("x", 129):   ErrFormat,
		"PING:" + strings.Repeat("x", 600):    ErrTooLong,
		"SIGNAL:" + strings.Repeat("x", 1200): ErrTooLong,
	} {
		if got, err := Parse([]byte(text)); !errors.Is(err, want) {
			t.Errorf("%.40q: %#v, %v; want %v", text, got, err, want)
		}
	}
	for _, l := range []Line{Join{}, Join{Channel: "a:b"}, Join{Channel: "a", Device: "d:fec"}, Ping{"1.2.3.4:5:6"}, Peer{}, Hello{"a\nb"}, Challenge{}} {
		if b, err := Append(nil, l); err == nil || len(b) != 0 {
			t.Errorf("%#v is written as %q", l, b)
		}
	}
}

func FuzzLine(f *testing.F) {
	for text := range written {
		f.Add([]byte(text))
	}
	f.Add([]byte("JOIN a b c d\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := Parse(b)
		if err != nil {
			return
		}
		again, err := Append(nil, l)
		if err != nil {
			t.Fatalf("%q is %#v, which cannot be written: %v", b, l, err)
		}
		if same, err := Parse(again); err != nil || same != l {
			t.Fatalf("%q is %#v, written %q, read %#v, %v", b, l, again, same, err)
		}
	})
}

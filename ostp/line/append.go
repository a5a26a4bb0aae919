package line

import (
	"net/netip"
	"strconv"
	"strings"
)

func (l Join) appendTo(b []byte) []byte {
	fields := []string{l.Channel, l.Password, l.Name, l.Device, l.Options.text()}
	for len(fields) > 1 && fields[len(fields)-1] == "" {
		fields = fields[:len(fields)-1]
	}
	return append(append(b, "JOIN:"...), strings.Join(fields, ":")...)
}

func (o Options) text() string {
	var words []string
	for _, w := range []struct {
		set  bool
		word string
	}{{o.FEC, "fec"}, {o.Send, "send"}, {o.Quiet, "quiet"}} {
		if w.set {
			words = append(words, w.word)
		}
	}
	return strings.Join(words, ",")
}

func (l Leave) appendTo(b []byte) []byte { return orNothing(b, "LEAVE", l.Channel) }
func (l Hello) appendTo(b []byte) []byte { return orNothing(b, "HELLO", l.Text) }
func (l Ping) appendTo(b []byte) []byte  { return orNothing(b, "PING", l.Text) }
func (l Pong) appendTo(b []byte) []byte  { return orNothing(b, "PONG", l.Text) }
func (l OK) appendTo(b []byte) []byte    { return orNothing(b, "OK", l.Text) }
func (l Move) appendTo(b []byte) []byte  { return append(append(b, "MOVE:"...), l.Relay...) }

func (l PingPeer) appendTo(b []byte) []byte {
	return append(append(appendAddr(append(b, "PING:"...), l.Peer), ':'), l.Time...)
}

func (l Route) appendTo(b []byte) []byte {
	b = appendAddr(append(b, "ROUTE:"...), l.Peer)
	if l.Relay {
		return append(b, ":relay"...)
	}
	return append(b, ":p2p"...)
}

func (l Challenge) appendTo(b []byte) []byte { return append(append(b, "CHALLENGE:"...), l.Token...) }

func (l Signal) appendTo(b []byte) []byte {
	return append(append(append(append(b, "SIGNAL:"...), l.ID...), ':'), l.Payload...)
}

func (l RoleIs) appendTo(b []byte) []byte   { return append(append(b, "ROLE:"...), l.Role...) }
func (l YourAddr) appendTo(b []byte) []byte { return appendAddr(append(b, "YOUR_ADDR:"...), l.Addr) }
func (l Session) appendTo(b []byte) []byte  { return append(append(b, "SESSION:"...), l.ID...) }
func (l Peer) appendTo(b []byte) []byte     { return appendAddr(append(b, "PEER:"...), l.Addr) }
func (l Err) appendTo(b []byte) []byte      { return append(append(b, "ERR:"...), l.Word...) }
func (l ID) appendTo(b []byte) []byte       { return append(append(b, "ID:"...), l.ID...) }
func (l Gone) appendTo(b []byte) []byte     { return append(append(b, "GONE:"...), l.ID...) }

func (l Mode) appendTo(b []byte) []byte {
	if l.Private {
		return append(b, "MODE:private"...)
	}
	return append(b, "MODE:public"...)
}

func (l Member) appendTo(b []byte) []byte {
	return append(append(append(append(b, "MEMBER:"...), l.ID...), ':'), l.Role...)
}

func (l Description) appendTo(b []byte) []byte {
	return append(append(b, "DESCRIPTION:"...), l.ETag...)
}

// orNothing appends a verb, and text behind a colon if there is any.
func orNothing(b []byte, verb, text string) []byte {
	b = append(b, verb...)
	if text == "" {
		return b
	}
	return append(append(b, ':'), text...)
}

func appendAddr(b []byte, a netip.AddrPort) []byte {
	if a.Addr().Is4() {
		b = a.Addr().AppendTo(b)
	} else {
		b = append(a.Addr().AppendTo(append(b, '[')), ']')
	}
	return strconv.AppendUint(append(b, ':'), uint64(a.Port()), 10)
}

// Package line is the control lines between members and a relay (docs/spec,
// section 5): `VERB:a:b\n`, one in a datagram, UTF-8 without control characters.
//
// [Parse] also takes a line that ends in CR LF or in nothing, and JOIN, LEAVE and
// PING with spaces in place of colons. [Append] always writes colons and one LF.
// What Parse returns, Append writes so that Parse returns it again. IPv6
// addresses stand in brackets, as in [::1]:5100. Sizes are in bytes. Everything
// here is a value without state.
package line

import (
	"errors"
	"net/netip"
)

// Limits in bytes, the line's end included.
const (
	Max       = 512  // any line but SIGNAL
	MaxSignal = 1024 // SIGNAL
	MaxBlob   = 1000 // SIGNAL's payload
	MaxText   = 128  // a password, name, device id, or a PING's text
	IDSize    = 8    // hexadecimal digits of a member's public id
)

// What can be wrong with bytes that claim to be a line; errors of this package
// wrap one of these.
var (
	ErrTooLong = errors.New("line is too long")
	ErrFormat  = errors.New("line is malformed")
	ErrVerb    = errors.New("verb is not known")
)

// Role is what a member may do.
type Role string

// The roles.
const (
	Owner    Role = "owner"    // created the channel, and sends
	DJ       Role = "dj"       // knows the password for sending
	Listener Role = "listener" // hears
)

// Sends reports whether a member of this role may send media.
func (r Role) Sends() bool { return r == Owner || r == DJ }

// Word is what an ERR line says.
type Word string

// The words of ERR.
const (
	EmptyGroup    Word = "empty_group"
	WrongPassword Word = "wrong_password"
	GroupFull     Word = "group_full"
	NoPermission  Word = "no_permission"
	NotInGroup    Word = "not_in_group"
	InvalidFormat Word = "invalid_format"
	InvalidName   Word = "invalid_name"
	RateLimited   Word = "rate_limited"
	RelayFull     Word = "relay_full"
	Draining      Word = "draining"
)

// Line is one control line: a Join, Leave, Hello, Ping, PingPeer, Pong, Route,
// Challenge, Signal, OK, RoleIs, YourAddr, Session, Mode, Peer, Err, ID, Member,
// Gone, Description or Move.
type Line interface{ appendTo(b []byte) []byte }

// To a relay, and where noted back from it.
type (
	// Join asks for membership. Options are ours: a relay that does not know them
	// takes them as part of the device id.
	Join struct {
		Channel, Password, Name, Device string
		Options                         Options
	}
	// Leave ends membership; Channel may be empty.
	Leave struct{ Channel string }
	// Hello keeps a NAT's mapping and a membership; nothing answers it.
	Hello struct{ Text string }
	// Ping asks for a Pong with the same text.
	Ping struct{ Text string }
	// PingPeer is passed on to the member at Peer, bearing the sender's address.
	PingPeer struct {
		Peer netip.AddrPort
		Time string
	}
	// Route tells by which way a peer is reached now.
	Route struct {
		Peer  netip.AddrPort
		Relay bool // else peer to peer
	}
	// Challenge is sent by a relay to an address, and comes back as it was.
	Challenge struct{ Token string }
	// Signal carries Payload (base64url) to the member ID; as it arrives, ID is the
	// one who sent it.
	Signal struct{ ID, Payload string }
)

// From a relay.
type (
	// OK says what was done.
	OK struct{ Text string }
	// RoleIs tells a member its role.
	RoleIs struct{ Role Role }
	// YourAddr is the address from which a member is seen.
	YourAddr struct{ Addr netip.AddrPort }
	// Session is the secret, 32 hexadecimal digits, by which HTTP knows a member.
	Session struct{ ID string }
	// Mode tells whether a channel has a password.
	Mode struct{ Private bool }
	// Peer is another member's address.
	Peer struct{ Addr netip.AddrPort }
	// Pong answers a Ping.
	Pong struct{ Text string }
	// Err says why something was not done.
	Err struct{ Word Word }
	// ID is a member's own public id.
	ID struct{ ID string }
	// Member is another member that may send, or a new role of one.
	Member struct {
		ID   string
		Role Role
	}
	// Gone says that such a member left.
	Gone struct{ ID string }
	// Description says that the stream's description is another now.
	Description struct{ ETag string }
	// Move asks a member to go to another relay; empty: to any other.
	Move struct{ Relay string }
)

// Options are what a member asks for at JOIN.
type Options struct {
	FEC   bool // send me FEC packets
	Send  bool // I intend to send
	Quiet bool // send me no media: I am here to be found
}

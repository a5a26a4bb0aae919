// Package lan is one stream on one network: the sender that multicasts it and is
// its house clock, and the receiver that joins it.
//
// A [Sender] paces packets by its house clock and sends them to the stream's
// group, and to the few speakers that asked for a copy of their own because
// multicast does not reach them. On its clock port it answers time requests and
// takes the speakers' reports; over HTTP it serves the description.
//
// A [Gateway] does the same with a stream that comes from outside the house: packets
// leave as they come, and its reports say how the stream's time runs against its clock.
//
// A [Receiver] fetches the description, exchanges time, joins the group and hands
// packets, clock estimates and the anchor to its [Sink]. When nothing arrives
// within a second although the sender is there, or too much is lost, it asks for
// a copy of its own. It ends by itself when the stream does, and says why.
//
// When its gateway dies it follows the one that takes over, within the stream.
//
// All own their goroutines and sockets; Close waits for them. docs/spec,
// sections 2 and 3; RTCP feedback goes to the sender alone, as in RFC 5760.
package lan

import (
	"hash/fnv"
	"net/netip"
	"time"
)

// Ports that are used unless configured otherwise (docs/spec, section 2).
const (
	DefaultPort  = 5004
	DefaultRTCP  = 5005
	DefaultClock = 5006
)

const (
	reportEvery = time.Second            // receivers
	senderEvery = 250 * time.Millisecond // sender reports
	leaseTime   = 10 * time.Second       // of a copy, without a report
)

// GroupFor returns the group of a channel: one of 65,535 in 239.69.0.0/16 by the
// hash of its name, so that two channels rarely share one. "default" has the
// protocol's own, 239.69.0.1.
func GroupFor(channel string) netip.Addr {
	if channel == "default" {
		return netip.AddrFrom4([4]byte{239, 69, 0, 1})
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(channel))
	n := 1 + h.Sum32()%65535
	return netip.AddrFrom4([4]byte{239, 69, byte(n >> 8), byte(n)})
}

// GroupFor6 is GroupFor for IPv6: site-local multicast.
func GroupFor6(channel string) netip.Addr {
	v4 := GroupFor(channel).As4()
	return netip.AddrFrom16([16]byte{0xFF, 0x05, 12: 0x4F, 13: 0x53, 14: v4[2], 15: v4[3]})
}

// isClock tells a time request from RTCP on the same port: both have two version
// bits on top, but NTP's leap indicator "unknown" makes them 11.
func isClock(b []byte) bool { return len(b) > 0 && b[0]>>6 != 2 }

package discovery

import (
	"hash/maphash"
	"net/netip"
	"time"
)

// What the network can make this package keep. At these limits it holds about
// 4 MB; what is beyond is dropped and counted.
const (
	maxPacket       = 9000 // bytes of a message, RFC 6762 section 17
	maxSend         = 1400 // bytes we put in one message
	maxQuestions    = 64   // of one query that we look at
	maxFound        = 512  // instances known at a time, complete or not
	maxFoundSource  = 128  // of them, by one sender
	maxRecords      = 4096 // cached records
	maxRecordBytes  = 1500 // of one cached record's data
	maxPerName      = 8    // addresses of a host on a link
	maxHeld         = 16   // truncated queries waiting for their rest, per link
	maxLife         = 75 * time.Minute
	maxAsk          = 40  // questions about incomplete instances, per second and link
	unicastRate     = 50  // unicast answers a second
	packetRate      = 300 // packets a second from one sender (of 256 groups of senders)
	maxOurs         = 32  // announcements of a Node
	conflictLimit   = 15  // conflicts in conflictWindow before probing slows down
	conflictWindow  = 10 * time.Second
	conflictPenalty = 5 * time.Second
)

// Stats counts what was refused or lost, since the Node was opened.
type Stats struct {
	Packets   uint64 // received in all
	Flood     uint64 // packets beyond the sender's rate, unread
	Malformed uint64 // packets that are no message of mDNS
	Foreign   uint64 // packets from other networks than the link's
	Dropped   uint64 // records beyond what is kept
	Throttled uint64 // unicast answers not sent
	Conflicts uint64 // names that another host had
	SendFails uint64 // packets the system did not take
	Cached    int    // records kept now
}

// bucket is a token bucket; its zero value is full at first use.
type bucket struct {
	tokens float64
	last   time.Time
}

// take takes a token if there is one; rate is per second, and the burst that of
// one second.
func (b *bucket) take(now time.Time, rate float64) bool {
	if b.last.IsZero() {
		b.tokens = rate
	} else if d := now.Sub(b.last); d > 0 {
		b.tokens = min(rate, b.tokens+d.Seconds()*rate)
	}
	b.last = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// gate limits each sender's packets. Senders share a bucket with few others.
type gate struct {
	seed    maphash.Seed
	buckets [256]bucket
}

func newGate() *gate { return &gate{seed: maphash.MakeSeed()} }

// pass tells whether a packet from src may be read.
func (g *gate) pass(now time.Time, src netip.Addr) bool {
	return g.buckets[g.index(src)].take(now, packetRate)
}

// index returns a sender's bucket.
func (g *gate) index(src netip.Addr) uint64 {
	return maphash.Comparable(g.seed, src.WithZone("")) % uint64(len(g.buckets))
}

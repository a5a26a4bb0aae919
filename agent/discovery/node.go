package discovery

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

// Config says how a Node works. Its zero value is fine.
type Config struct {
	// Interfaces are the links to use, by name. Empty means all that are up and
	// can multicast, or loopback when there is no other.
	Interfaces []string
	// Hostname is the readable part of our host name ("" takes the system's); a
	// random part makes it unique.
	Hostname string
	// Life is how long our records live without being heard again; 0 means 120 s
	// for hosts and 75 min for others, as RFC 6762 has it. Whole seconds.
	Life time.Duration
	Log  *slog.Logger // nil: nothing is logged
}

// The pace of looking after links and of reporting what was refused.
const (
	rescanEvery = time.Second
	reportEvery = 10 * time.Second
)

// Node is this process's part in mDNS. Make one for a process.
type Node struct {
	log     *slog.Logger
	engine  *engine // owned by run
	sockets *sockets
	lister  *lister
	packets chan packet
	calls   chan func(*engine)
	stop    chan struct{}
	done    chan struct{}
	once    sync.Once
	readers sync.WaitGroup

	told     Stats // as last reported; owned by run
	toldAt   time.Time
	listFail bool // the last listing of links failed
	noLink   bool // it found none
}

// Open joins mDNS on all links of the configuration, and on those that come
// later. It fails when a name in Interfaces is malformed, when port 5353 is taken
// by a program that does not share it, or when the system has no IP at all.
func Open(c Config) (*Node, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Life < 0 || c.Life%time.Second != 0 {
		return nil, errors.New("discovery: Life must be whole seconds")
	}
	host, seed, err := hostName(c.Hostname)
	if err != nil {
		return nil, err
	}
	lister, err := newLister(c.Interfaces)
	if err != nil {
		return nil, err
	}
	socks, err := openSockets(c.Log)
	if err != nil {
		lister.close()
		return nil, err
	}
	n := &Node{
		log: c.Log, sockets: socks, lister: lister,
		packets: make(chan packet, 64), calls: make(chan func(*engine)),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	n.engine = newEngine(host, c.Life, c.Log, seed, n.transmit)
	for f := range socks.conns {
		n.readers.Go(func() { socks.read(f, n.packets, n.stop) })
	}
	n.rescan(n.now())
	go n.run()
	return n, nil
}

// hostName makes our host name and a seed for everything random.
func hostName(readable string) (string, [2]uint64, error) {
	if readable == "" {
		system, err := os.Hostname()
		if err != nil {
			return "", [2]uint64{}, fmt.Errorf("discovery: the system has no host name (%w); set Config.Hostname", err)
		}
		readable = system
	}
	var b [20]byte
	_, _ = rand.Read(b[:]) // never fails
	seed := [2]uint64{binary.BigEndian.Uint64(b[4:]), binary.BigEndian.Uint64(b[12:])}
	return hostLabel(readable) + "-" + hex.EncodeToString(b[:4]) + ".local.", seed, nil
}

// now reads the clock; its monotonic part is what counts.
func (n *Node) now() time.Time { return time.Now() }

// transmit sends what the engine wants sent.
func (n *Node) transmit(o outgoing) {
	if err := n.sockets.write(o, n.engine.links[o.link]); err != nil {
		n.engine.stats.SendFails++
	}
}

// run owns the engine until Close.
func (n *Node) run() {
	defer close(n.done)
	rescan := time.NewTicker(rescanEvery)
	defer rescan.Stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-n.stop:
			n.farewell()
			return
		case p := <-n.packets:
			n.engine.receive(n.now(), p)
		case call := <-n.calls:
			call(n.engine)
		case <-rescan.C:
			n.rescan(n.now())
			n.report(n.now())
		case <-timer.C:
		}
		now := n.now()
		timer.Reset(max(n.engine.tick(now).Sub(now), 0))
	}
}

// farewell withdraws everything, twice.
func (n *Node) farewell() {
	for _, a := range slices.Clone(n.engine.ours) {
		n.engine.withdraw(n.now(), a)
	}
	if len(n.engine.goodbyes) > 0 {
		time.Sleep(50 * time.Millisecond)
		n.engine.tickGoodbyes(n.now().Add(goodbyeRepeat))
	}
}

// rescan looks which links there are, joins their groups and tells the engine.
func (n *Node) rescan(now time.Time) {
	infos, err := n.lister.list()
	if err != nil {
		if !n.listFail {
			n.log.Error("discovery: cannot list the network interfaces; keeping those in use", "error", err)
		}
		n.listFail = true
		return
	}
	n.listFail = false
	if none := len(infos) == 0; none != n.noLink {
		if n.noLink = none; none {
			n.log.Warn("discovery: no link is up with an address; waiting for one", "interfaces", n.lister.names)
		}
	}
	n.sockets.join(infos)
	n.engine.setLinks(now, infos)
}

// report logs what was refused since the last time.
func (n *Node) report(now time.Time) {
	if now.Sub(n.toldAt) < reportEvery {
		return
	}
	s, t := n.engine.stats, n.told
	s.Flood = n.sockets.flood.Load()
	n.told, n.toldAt = s, now
	if s.Flood > t.Flood || s.Dropped > t.Dropped || s.Throttled > t.Throttled || s.SendFails > t.SendFails {
		n.log.Warn("discovery: the network sends more than we keep, or sending fails", "flood", s.Flood-t.Flood,
			"dropped", s.Dropped-t.Dropped, "throttled", s.Throttled-t.Throttled, "send_fails", s.SendFails-t.SendFails)
	}
	if s.Malformed > t.Malformed || s.Foreign > t.Foreign {
		n.log.Debug("discovery: packets ignored", "malformed", s.Malformed-t.Malformed, "foreign", s.Foreign-t.Foreign)
	}
}

// do runs f on the engine's goroutine; false after Close.
func (n *Node) do(f func(*engine)) bool {
	ended := make(chan struct{})
	select {
	case n.calls <- func(e *engine) { defer close(ended); f(e) }:
		<-ended
		return true
	case <-n.done:
		return false
	}
}

// errClosed is returned after Close.
var errClosed = errors.New("discovery: the node is closed; open a new one")

// Browse begins to look for instances of types such as "_ostp._udp". After the
// node's Close the browser's channel is closed.
func (n *Node) Browse(types ...string) (*Browser, error) {
	for _, t := range types {
		if err := checkType(t); err != nil {
			return nil, err
		}
	}
	b := newBrowser(n, slices.Clone(types))
	if !n.do(func(e *engine) { e.addBrowser(n.now(), b) }) {
		return nil, errClosed
	}
	go b.run()
	return b, nil
}

// Stats returns the counters.
func (n *Node) Stats() (s Stats) {
	n.do(func(e *engine) { s, s.Cached = e.stats, e.cache.size })
	s.Flood = n.sockets.flood.Load()
	return s
}

// Close withdraws all services, closes all browsers and waits for everything. It
// takes about 50 ms and may be called more than once.
func (n *Node) Close() error {
	var err error
	n.once.Do(func() {
		close(n.stop)
		<-n.done
		err = n.sockets.close()
		n.readers.Wait()
		n.lister.close()
		for _, b := range slices.Clone(n.engine.browsers) {
			b.Close()
		}
	})
	<-n.done
	return err
}

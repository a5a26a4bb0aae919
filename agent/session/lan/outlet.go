package lan

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/internal/udp"
	"github.com/tutti-audio/tutti/ostp/control"
	"github.com/tutti-audio/tutti/ostp/describe"
	"github.com/tutti-audio/tutti/sync/course"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// outlet is what a [Sender] and a [Gateway] have in common: a stream that leaves to its
// group and to those with a copy of their own, a clock that answers, reports both ways.
type outlet struct {
	ifi       string
	clock     *hostclock.Clock
	log       *slog.Logger
	stream    describe.Stream
	house     atomic.Pointer[houseClock] // nil: not in charge of a house's time yet
	origin    atomic.Pointer[netip.Addr] // what media is sent from
	media     atomic.Pointer[udp.Conn]
	answers   *udp.Conn // time requests and reports
	receivers *receivers
	tags      atomic.Pointer[Tags]

	// What differs: how the stream's time runs at a house instant, what reports say
	// besides, and whether anybody listens.
	leg   func(h timebase.House) course.Leg
	said  func() *control.Gateway
	heard func() bool

	sentPackets atomic.Uint64
	sentBytes   atomic.Uint64
	refused     atomic.Uint64
	flooded     rateLimited

	closing atomic.Bool
	tell    chan struct{} // a report is to be sent at once; nil: never
	quit    chan struct{}
	once    sync.Once
	wait    sync.WaitGroup
}

// houseClock is local time with an epoch fixed at start, so that a step of the wall
// clock does not reach it: at the local instant at it is house, and gains drift. The
// drift is that of the clock that is carried on, where there was one before.
type houseClock struct {
	origin timebase.Local
	house  timebase.House
	drift  float64
}

func (h *houseClock) at(l timebase.Local) timebase.House {
	since := l - h.origin
	return h.house + timebase.House(since) + timebase.House(float64(since)*h.drift)
}

func (h *houseClock) local(t timebase.House) timebase.Local {
	since := t - h.house
	return h.origin + timebase.Local(since) - timebase.Local(float64(since)*h.drift/(1+h.drift))
}

func (o *outlet) now() timebase.House { return o.house.Load().at(o.clock.Now()) }

// open makes the sockets, and fills in the description where the stream leaves.
func (o *outlet) open(group netip.AddrPort, clockPort uint16) error {
	ifi, local, err := udp.Multicast(o.ifi)
	if err != nil {
		return err
	}
	if !group.IsValid() {
		group = netip.AddrPortFrom(GroupFor(o.stream.Channel), DefaultPort)
		if local.Is6() {
			group = netip.AddrPortFrom(GroupFor6(o.stream.Channel), DefaultPort)
		}
	}
	if err := o.sendFrom(ifi, local); err != nil {
		return err
	}
	if o.answers, err = o.listenClock(clockPort, ifi.Name); err != nil {
		o.media.Load().Close()
		return err
	}
	o.stream.Group, o.stream.Port, o.stream.RTCP, o.stream.Clock = group.Addr(), group.Port(), group.Port()+1, o.answers.Port()
	return nil
}

// listenClock opens the port for time requests and reports.
func (o *outlet) listenClock(port uint16, ifi string) (*udp.Conn, error) {
	ports := []uint16{port}
	if port == 0 {
		ports = []uint16{DefaultClock, 0}
	}
	var err error
	for _, port := range ports {
		var conn *udp.Conn
		if conn, err = udp.Listen(netip.AddrPortFrom(netip.IPv6Unspecified(), port), udp.Options{Sent: true}, o.clock); err == nil {
			return conn, nil
		}
		if conn, err = udp.Listen(netip.AddrPortFrom(netip.IPv4Unspecified(), port), udp.Options{Sent: true}, o.clock); err == nil {
			return conn, nil
		}
	}
	return nil, fmt.Errorf("cannot open clock port %d on %s: %w; choose another", port, ifi, err)
}

// Stream returns the description with the present tags.
func (o *outlet) Stream() describe.Stream {
	d := o.stream
	d.Origin, d.Tags = *o.origin.Load(), o.tags.Load().Tags
	if d.Term != 0 {
		d.Leg = o.leg(o.now())
	}
	return d
}

// SetTags says what is playing from now on.
func (o *outlet) SetTags(t Tags) {
	t.Artwork = len(t.Picture) > 0
	o.tags.Store(&t)
}

// send sends a packet to the group and to those with a copy of their own.
func (o *outlet) send(packet []byte) {
	if o.stream.Group.IsMulticast() {
		if _, err := o.media.Load().WriteToUDPAddrPort(packet, netip.AddrPortFrom(o.stream.Group, o.stream.Port)); err != nil && !o.closing.Load() {
			o.receivers.sendFailed(o.log, "group", err)
		}
	}
	for _, to := range o.receivers.copies() {
		if _, err := o.media.Load().WriteToUDPAddrPort(packet, to); err != nil && !o.closing.Load() {
			o.receivers.sendFailed(o.log, to.String(), err)
		}
	}
	o.sentPackets.Add(1)
	o.sentBytes.Add(uint64(len(packet)))
}

// close closes the sockets after a last word, and waits.
func (o *outlet) close(lastWord func()) {
	o.once.Do(func() {
		o.closing.Store(true)
		close(o.quit)
		lastWord()
		o.media.Load().Close()
		o.answers.Close()
	})
	o.wait.Wait()
}

// originEvery is how often an outlet looks whether its address is still its own.
const originEvery = time.Second

// sendFrom opens the media socket on an address and puts it in the place of the
// one before.
func (o *outlet) sendFrom(ifi *net.Interface, local netip.Addr) error {
	conn, err := udp.Listen(netip.AddrPortFrom(local, 0), udp.Options{Interface: ifi}, o.clock)
	if err != nil {
		return fmt.Errorf("cannot open the media socket: %w", err)
	}
	o.origin.Store(&local)
	if before := o.media.Swap(conn); before != nil {
		before.Close()
	}
	if o.closing.Load() {
		conn.Close()
	}
	return nil
}

// followAddress moves to another address when the present one is gone or its interface
// is down (a host that changes from the cable to Wi-Fi, or comes home), or was loopback
// for want of a network. Speakers learn it from the description.
func (o *outlet) followAddress() {
	ifi, local, err := udp.Multicast(o.ifi)
	before := *o.origin.Load()
	if err != nil || local == before || local.Is4() != before.Is4() || local.IsLoopback() {
		return
	}
	if !before.IsLoopback() && udp.Carries(before) {
		return
	}
	if err := o.sendFrom(ifi, local); err != nil {
		o.log.Warn("cannot send from this host's new address", "address", local, "error", err)
		return
	}
	o.log.Info("sending from this host's new address", "address", local, "before", before, "interface", ifi.Name)
}

package udp

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/internal/hostclock"
)

func loopback(t *testing.T) *net.Interface {
	t.Helper()
	ifi, err := net.InterfaceByName("lo")
	if err != nil {
		t.Skip("no loopback interface here: ", err)
	}
	return ifi
}

func TestStamps(t *testing.T) {
	for _, local := range []string{"127.0.0.1:0", "[::1]:0"} {
		clock := hostclock.New(0)
		a, err := Listen(netip.MustParseAddrPort(local), Options{Sent: true}, clock)
		if err != nil {
			t.Skip("cannot listen on ", local, ": ", err)
		}
		defer a.Close()
		b, err := Listen(netip.MustParseAddrPort(local), Options{}, clock)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		to := b.LocalAddr().(*net.UDPAddr).AddrPort()
		for id := range uint32(5) {
			before := clock.Now()
			if _, err := a.WriteToUDPAddrPort([]byte("tick"), to); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 16)
			_ = b.SetReadDeadline(time.Now().Add(5 * time.Second))
			n, _, at, err := b.Read(buf)
			after := clock.Now()
			if err != nil || !bytes.Equal(buf[:n], []byte("tick")) {
				t.Fatal(n, err)
			}
			sent, ok := a.NextSent()
			if !ok || sent.ID != id {
				t.Fatalf("%s: transmit stamp %+v, %v; want number %d", local, sent, ok, id)
			}
			if sent.At < before-2000 || at < sent.At-2000 || at > after+2000 {
				t.Errorf("%s: before %d, sent %d, arrived %d, after %d: out of order", local, before, sent.At-before, at-before, after-before)
			}
		}
		if _, ok := a.NextSent(); ok {
			t.Error("a stamp too many")
		}
	}
}

func TestMulticastOnLoopback(t *testing.T) {
	clock := hostclock.New(0)
	group := netip.MustParseAddr("239.69.77.1")
	o := Options{Group: group, Interface: loopback(t)}
	one, err := Listen(netip.AddrPortFrom(group, 15004), o, clock)
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	two, err := Listen(netip.AddrPortFrom(group, 15004), o, clock)
	if err != nil {
		t.Fatal("a second speaker on this host: ", err)
	}
	defer two.Close()
	from, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"), Options{Interface: o.Interface}, clock)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	if _, err := from.WriteToUDPAddrPort([]byte("music"), netip.AddrPortFrom(group, 15004)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*Conn{one, two} {
		buf := make([]byte, 16)
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if n, _, _, err := c.Read(buf); err != nil || string(buf[:n]) != "music" {
			t.Errorf("read %q, %v", buf[:n], err)
		}
	}
}

func TestReadDoesNotAllocate(t *testing.T) {
	clock := hostclock.New(0)
	a, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"), Options{}, clock)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	to := a.LocalAddr().(*net.UDPAddr).AddrPort()
	buf := make([]byte, 64)
	if n := testing.AllocsPerRun(100, func() {
		_, _ = a.WriteToUDPAddrPort(buf[:8], to)
		_, _, _, _ = a.Read(buf)
	}); n != 0 {
		t.Errorf("%v allocations per datagram, want 0", n)
	}
}

func TestBatch(t *testing.T) {
	clock := hostclock.New(0)
	for _, local := range []string{"127.0.0.1:0", "[::1]:0"} {
		to, err := Listen(netip.MustParseAddrPort(local), Options{}, clock)
		if err != nil {
			t.Skip("cannot listen on ", local, ": ", err)
		}
		target := to.LocalAddr().(*net.UDPAddr).AddrPort()
		from, err := Listen(netip.MustParseAddrPort(local), Options{}, clock)
		if err != nil {
			t.Fatal(err)
		}
		defer from.Close()
		b, err := to.Batch(4, 100)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if n := b.Receive(); n != 0 {
			t.Fatalf("%d datagrams before any was sent", n)
		}
		before := clock.Now()
		for i := range 6 {
			if _, err := from.WriteToUDPAddrPort([]byte{byte(i), 9}, target); err != nil {
				t.Fatal(err)
			}
		}
		next, sent := byte(0), []byte{1, 2}
		for _, want := range []int{4, 2, 0} {
			if n := b.Receive(); n != want || b.Len() != want {
				t.Fatalf("%s: received %d, want %d", local, n, want)
			}
			for i := range b.Len() {
				data, sender, at := b.At(i)
				if len(data) != 2 || data[0] != next || sender != from.LocalAddr().(*net.UDPAddr).AddrPort() || at < before-2000 || at > clock.Now() {
					t.Errorf("%s: datagram %d: %v from %v at %d", local, next, data, sender, at-before)
				}
				next++
			}
		}
		if n := testing.AllocsPerRun(50, func() {
			_, _ = from.WriteToUDPAddrPort(sent, target)
			b.Receive()
		}); n != 0 {
			t.Errorf("%v allocations per batch, want 0", n)
		}
	}
}

func TestInterfaceTo(t *testing.T) {
	ifi, local, err := InterfaceTo(netip.MustParseAddr("127.0.0.1"))
	if err != nil || ifi.Name != "lo" || local.String() != "127.0.0.1" {
		t.Errorf("%v %v %v", ifi, local, err)
	}
}

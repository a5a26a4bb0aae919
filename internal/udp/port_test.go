package udp

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"
)

// each is a Port for each family, and sockets to talk to it.
func eachPort(t *testing.T, clients int, do func(t *testing.T, p *Port, conns []*net.UDPConn)) {
	for _, local := range []string{"127.0.0.1:0", "[::1]:0", "0.0.0.0:0"} {
		t.Run(local, func(t *testing.T) {
			ports, err := ListenPorts(netip.MustParseAddrPort(local), 1, 8, 1500)
			if err != nil {
				t.Skip("cannot listen here: ", err)
			}
			defer ports[0].Close()
			host := netip.MustParseAddrPort(local).Addr()
			if host.IsUnspecified() {
				host = netip.MustParseAddr("127.0.0.1")
			}
			to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(host, ports[0].LocalAddr().Port()))
			var conns []*net.UDPConn
			for range clients {
				c, err := net.DialUDP("udp", nil, to)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				conns = append(conns, c)
			}
			do(t, ports[0], conns)
		})
	}
}

func hear(t *testing.T, c *net.UDPConn) string {
	t.Helper()
	b := make([]byte, 1500)
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// TestPort: whoever spoke is known by name, and named by address he is the same.
func TestPort(t *testing.T) {
	eachPort(t, 100, func(t *testing.T, p *Port, conns []*net.UDPConn) {
		var names []Name
		fan := p.Fan()
		for i, c := range conns {
			fmt.Fprint(c, i)
			n, err := 0, error(nil)
			for n == 0 && err == nil {
				n, err = p.Wait()
			}
			b, from := p.Datagram(0)
			if err != nil || n != 1 || string(b) != fmt.Sprint(i) || from.AddrPort() != c.LocalAddr().(*net.UDPAddr).AddrPort() {
				t.Fatalf("%d datagrams, %q from %v, %v", n, b, from.AddrPort(), err)
			}
			name, ok := p.Name(from.AddrPort())
			if !ok || name.AddrPort() != from.AddrPort() {
				t.Fatalf("%v is named %v", from.AddrPort(), name.AddrPort())
			}
			names = append(names, name)
		}
		if sent := fan.SendAll([]byte("all"), names, &names[5], nil); sent != len(conns)-1 {
			t.Errorf("sent to %d", sent)
		}
		var each [][]byte
		for i := range conns {
			each = append(each, fmt.Append(nil, "to ", i))
		}
		var to []*Name
		for i := range names {
			to = append(to, &names[i])
		}
		if sent := fan.SendEach(each, to); sent != len(conns) {
			t.Errorf("sent each to %d", sent)
		}
		for i, c := range conns {
			if i != 5 && hear(t, c) != "all" || hear(t, c) != fmt.Sprint("to ", i) {
				t.Errorf("client %d heard something else", i)
			}
		}
		if err := p.Send([]byte("one"), to[3]); err != nil || hear(t, conns[3]) != "one" {
			t.Error(err)
		}
		if n := testing.AllocsPerRun(20, func() { fan.SendAll(each[0], names, nil, nil); fan.SendEach(each, to) }); n != 0 {
			t.Errorf("%v allocations per fan-out, want 0", n)
		}
	})
}

// TestUnreachable: a destination that the kernel refuses costs the others nothing.
func TestUnreachable(t *testing.T) {
	eachPort(t, 2, func(t *testing.T, p *Port, conns []*net.UDPConn) {
		var names []Name
		for _, a := range []netip.AddrPort{conns[0].LocalAddr().(*net.UDPAddr).AddrPort(), netip.AddrPortFrom(conns[0].LocalAddr().(*net.UDPAddr).AddrPort().Addr(), 0), conns[1].LocalAddr().(*net.UDPAddr).AddrPort()} {
			if n, ok := p.Name(a); ok {
				names = append(names, n)
			}
		}
		if sent := p.Fan().SendAll([]byte("x"), names, nil, nil); sent != 2 {
			t.Errorf("sent to %d, want 2", sent)
		}
		for _, c := range conns {
			hear(t, c)
		}
	})
}

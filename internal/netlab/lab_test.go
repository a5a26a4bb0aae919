package netlab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/ipv4"
)

const patience = 10 * time.Second

var group = &net.UDPAddr{IP: net.IPv4(239, 1, 2, 3), Port: 5555}

// pair is two hosts on one switch.
func pair(t *testing.T, options ...Option) (lab *Lab, hosts [2]*Host, links [2]*Link) {
	t.Helper()
	lab = ForTest(t)
	sw, err := lab.NewSwitch("s")
	if err != nil {
		t.Fatal(err)
	}
	for i := range hosts {
		if hosts[i], err = lab.NewHost(fmt.Sprintf("h%d", i)); err != nil {
			t.Fatal(err)
		}
		addr := netip.MustParsePrefix(fmt.Sprintf("10.0.0.%d/24", i+1))
		use := options
		if i == 1 {
			use = nil
		}
		if links[i], err = hosts[i].Connect(sw, addr, use...); err != nil {
			t.Fatal(err)
		}
	}
	return lab, hosts, links
}

// listen opens a UDP socket inside a host.
func listen(t *testing.T, h *Host, network, addr string) net.PacketConn {
	t.Helper()
	var conn net.PacketConn
	err := h.Do(func() (err error) {
		conn, err = net.ListenPacket(network, addr)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// reaches sends until a datagram arrives or patience ends.
func reaches(from, to net.PacketConn, dst net.Addr, limit time.Duration) bool {
	buf := make([]byte, 2048)
	end := time.Now().Add(limit)
	text := fmt.Sprintf("hello %d", end.UnixNano()) // not an earlier call's
	for time.Now().Before(end) {
		_, _ = from.WriteTo([]byte(text), dst)
		_ = to.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		for {
			m, _, err := to.ReadFrom(buf)
			if err != nil {
				break
			}
			if string(buf[:m]) == text {
				return true
			}
		}
	}
	return false
}

func TestUnicast(t *testing.T) {
	for name, options := range map[string][]Option{"veth": nil, "impaired": {WithImpairment(1)}} {
		t.Run(name, func(t *testing.T) {
			_, hosts, links := pair(t, options...)
			a, b := listen(t, hosts[0], "udp4", ":0"), listen(t, hosts[1], "udp4", "10.0.0.2:7000")
			if !reaches(a, b, b.LocalAddr(), patience) {
				t.Fatal("no datagram from h0 to h1 over IPv4")
			}
			a6, b6 := listen(t, hosts[0], "udp6", ":0"), listen(t, hosts[1], "udp6", ":7001")
			dst := net.UDPAddrFromAddrPort(netip.AddrPortFrom(links[1].Addr6().WithZone(fmt.Sprint(links[0].Index)), 7001))
			if !reaches(a6, b6, dst, patience) {
				t.Fatal("no datagram from h0 to h1 over IPv6")
			}
		})
	}
}

func TestMulticastReachesBoth(t *testing.T) {
	lab, hosts, links := pair(t)
	_ = lab
	var in [2]net.PacketConn
	for i, h := range hosts {
		in[i] = listen(t, h, "udp4", ":5555")
		p := ipv4.NewPacketConn(in[i])
		if err := p.JoinGroup(&net.Interface{Index: links[i].Index}, group); err != nil {
			t.Fatal(err)
		}
	}
	out := listen(t, hosts[0], "udp4", ":0")
	p := ipv4.NewPacketConn(out)
	if err := p.SetMulticastInterface(&net.Interface{Index: links[0].Index}); err != nil {
		t.Fatal(err)
	}
	for i := range in {
		if !reaches(out, in[i], group, patience) {
			t.Errorf("group traffic of h0 does not reach h%d", i)
		}
	}
}

func TestMulticastRoute(t *testing.T) {
	_, hosts, _ := pair(t, WithMulticastRoute())
	routed, bare := listen(t, hosts[0], "udp4", ":0"), listen(t, hosts[1], "udp4", ":0")
	if _, err := routed.WriteTo([]byte("x"), group); err != nil {
		t.Errorf("with a multicast route: %v", err)
	}
	if _, err := bare.WriteTo([]byte("x"), group); err == nil {
		t.Error("a host without a route could send to a group: it has a default route it should not have")
	}
}

func TestLinkDownUpAndChange(t *testing.T) {
	for name, options := range map[string][]Option{"veth": nil, "impaired": {WithImpairment(1)}} {
		t.Run(name, func(t *testing.T) {
			_, hosts, links := pair(t, options...)
			a, b := listen(t, hosts[0], "udp4", ":0"), listen(t, hosts[1], "udp4", ":7000")
			dst := &net.UDPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 7000}
			steps := []struct {
				name    string
				do      func() error
				arrives bool
			}{
				{"start", func() error { return nil }, true},
				{"down", links[0].Down, false},
				{"up", links[0].Up, true},
				{"unplug", links[0].Unplug, false},
				{"plug", links[0].Plug, true},
				{"change", func() error { return links[0].ChangeAddr(netip.MustParsePrefix("10.9.0.1/24")) }, false},
				{"back", func() error { return links[0].ChangeAddr(netip.MustParsePrefix("10.0.0.7/24")) }, true},
			}
			for _, s := range steps {
				if err := s.do(); err != nil {
					t.Fatalf("%s: %v", s.name, err)
				}
				limit := patience
				if !s.arrives {
					limit = 200 * time.Millisecond
				}
				if got := reaches(a, b, dst, limit); got != s.arrives {
					t.Fatalf("%s: datagrams arrive: %v, want %v", s.name, got, s.arrives)
				}
			}
		})
	}
}

func TestProcesses(t *testing.T) {
	lab, hosts, _ := pair(t)
	var out Transcript
	cmd := hosts[0].Command(t.Context(), "/bin/sh", "-c", "cat /proc/net/fib_trie; echo to stderr >&2; exit 7")
	cmd.Stdout, cmd.Stderr = &out, &out
	err := hosts[0].Run(cmd)
	if cmd.ProcessState.ExitCode() != 7 {
		t.Errorf("exit code: %v", err)
	}
	if s := out.String(); !strings.Contains(s, "10.0.0.1") || strings.Contains(s, "10.0.0.2\n") || !strings.Contains(s, "to stderr") {
		t.Errorf("the process did not run inside h0: %s", s)
	}
	p, err := hosts[1].Start(hosts[1].Command(t.Context(), "/bin/sh", "-c", "sleep 1000 & wait"))
	if err != nil {
		t.Fatal(err)
	}
	if err := lab.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Done():
	default:
		t.Error("Close left a process running")
	}
	if _, err := hosts[1].Start(hosts[1].Command(t.Context(), "/bin/true")); !errors.Is(err, errClosed) {
		t.Errorf("Start after Close: %v", err)
	}
	if err := hosts[1].Do(func() error { return nil }); !errors.Is(err, errClosed) {
		t.Errorf("Do after Close: %v", err)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	lab, _, _ := pair(t, WithImpairment(1))
	if err := lab.Close(); err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(patience)
	for {
		left := 0
		entries, _ := os.ReadDir("/proc/self/fd")
		for _, e := range entries {
			if target, _ := os.Readlink("/proc/self/fd/" + e.Name()); strings.HasPrefix(target, "net:") || strings.Contains(target, "net/tun") {
				left++
			}
		}
		if left == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d namespaces or devices are still open", left)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// hostAddr is a UDP address at a link.
func hostAddr(l *Link, port uint16) net.Addr {
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(l.Addr(), port))
}

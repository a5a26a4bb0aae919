package discovery

import (
	"io"
	"log"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/hashicorp/mdns"
	"github.com/miekg/dns"

	"github.com/tutti-audio/tutti/internal/netlab"
)

// hashicorpHost is a host as today's clients need it: with a multicast route.
func (l *lan) hashicorpHost(addr string) *netlab.Host {
	l.t.Helper()
	h, err := l.lab.NewHost("hashicorp")
	if err != nil {
		l.t.Fatal(err)
	}
	l.hosts = append(l.hosts, h)
	l.connect(len(l.hosts)-1, l.sw, addr, netlab.WithMulticastRoute())
	return h
}

func TestHashicorpClientFindsUs(t *testing.T) {
	l := newLan(t, 1)
	n := l.open(0, Config{})
	announce(t, n, speaker("Kitchen"))
	client := l.hashicorpHost("10.0.0.9/24")
	for _, typ := range []string{"_soluna._udp", "_soluna._tcp"} {
		eventuallyTrue(t, typ+" found by an existing client", func() bool {
			entries := make(chan *mdns.ServiceEntry, 16)
			err := client.Do(func() error {
				return mdns.Query(&mdns.QueryParam{Service: typ, Timeout: 300 * time.Millisecond, Entries: entries, Logger: log.New(io.Discard, "", 0)})
			})
			if err != nil {
				t.Fatal(err)
			}
			close(entries)
			for e := range entries {
				if e.Port == 5004 && e.AddrV4.Equal(net.IPv4(10, 0, 0, 1)) {
					return true
				}
			}
			return false
		})
	}
}

func TestWeFindAHashicorpServer(t *testing.T) {
	l := newLan(t, 1)
	host := l.hashicorpHost("10.0.0.9/24")
	zone, err := mdns.NewMDNSService("Old", "_soluna._udp", "", "old.", 7000, []net.IP{net.IPv4(10, 0, 0, 9)}, []string{"ch=x"})
	if err != nil {
		t.Fatal(err)
	}
	var server *mdns.Server
	err = host.Do(func() (err error) {
		server, err = mdns.NewServer(&mdns.Config{Zone: zone, Logger: log.New(io.Discard, "", 0)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Shutdown() }()
	es := eventually(t, "found", browse(t, l.open(0, Config{}), "_soluna._udp"), has("Old"))
	if es[0].Addrs[0].String() != "10.0.0.9:7000" || es[0].Text["ch"] != "x" {
		t.Errorf("%+v", es[0])
	}
}

// TestLegacyQuery asks from a random port over both families, as `dig` does.
func TestLegacyQuery(t *testing.T) {
	l := newLan(t, 2)
	announce(t, l.open(0, Config{}), speaker("Kitchen"))
	question := dns.Question{Name: "_ostp._udp.local.", Qtype: dns.TypePTR, Qclass: dns.ClassINET}
	query := &dns.Msg{MsgHdr: dns.MsgHdr{Id: 4711}, Question: []dns.Question{question}}
	data, err := query.Pack()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ network, bind string }{{"udp4", "10.0.0.2:0"}, {"udp6", "[::]:0"}} {
		var conn net.PacketConn
		if err := l.hosts[1].Do(func() (err error) { conn, err = net.ListenPacket(c.network, c.bind); return err }); err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		dst := netip.AddrPortFrom(l.links[0].Addr(), port)
		if c.network == "udp6" {
			dst = netip.AddrPortFrom(l.links[0].Addr6().WithZone("2"), port)
			if l.links[1].Index != 2 {
				t.Fatal("the test takes eth0 to have index 2")
			}
		}
		var answer dns.Msg
		eventuallyTrue(t, c.network+" answer", func() bool {
			_, _ = conn.WriteTo(data, net.UDPAddrFromAddrPort(dst))
			_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
			buf := make([]byte, 9000)
			n, _, err := conn.ReadFrom(buf)
			return err == nil && answer.Unpack(buf[:n]) == nil
		})
		if answer.Id != 4711 || len(answer.Question) != 1 || len(answer.Answer) != 1 || len(answer.Extra) < 4 {
			t.Fatalf("%s: %v", c.network, &answer)
		}
		for _, rr := range append(answer.Answer, answer.Extra...) {
			if h := rr.Header(); h.Ttl > legacyLife || h.Class != dns.ClassINET {
				t.Errorf("%s: life or class unfit for a resolver: %v", c.network, rr)
			}
		}
	}
}

// TestFloodOnTheWire sends as fast as it can; a real service is found meanwhile.
func TestFloodOnTheWire(t *testing.T) {
	l := newLan(t, 3)
	announce(t, l.open(0, Config{}), speaker("Kitchen"))
	n := l.open(1, Config{})
	b := browse(t, n, "_ostp._udp")
	var conn net.PacketConn
	if err := l.hosts[2].Do(func() (err error) { conn, err = net.ListenPacket("udp4", "10.0.0.3:5353"); return err }); err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	packets := make([][]byte, 5000)
	for i := range packets {
		packets[i] = bogus(t, i, true)
	}
	go func() {
		defer close(done)
		defer conn.Close()
		dst := net.UDPAddrFromAddrPort(netip.AddrPortFrom(l.links[1].Addr(), port))
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				_, _ = conn.WriteTo(packets[i%len(packets)], dst)
			}
		}
	}()
	eventually(t, "a real service is found in the flood", b, func(es []Entry) bool { return len(onlyReal(es)) == 1 })
	eventuallyTrue(t, "the flood is counted", func() bool { s := n.Stats(); return s.Flood > 1000 && s.Dropped > 0 })
	close(stop)
	<-done
	if s := n.Stats(); s.Cached > maxRecords {
		t.Errorf("%d records cached", s.Cached)
	}
}

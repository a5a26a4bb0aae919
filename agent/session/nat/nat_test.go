package nat

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

func TestJudge(t *testing.T) {
	at := netip.MustParseAddrPort
	own, outer, other, elsewhere := at("10.0.0.2:4000"), at("203.0.113.7:4000"), at("203.0.113.7:4001"), at("203.0.113.8:4000")
	for _, c := range []struct {
		seen []netip.AddrPort
		want Kind
	}{
		{nil, Blocked},
		{[]netip.AddrPort{own}, None},
		{[]netip.AddrPort{own, own}, None},
		{[]netip.AddrPort{outer}, Unknown},
		{[]netip.AddrPort{outer, outer}, Plain},
		{[]netip.AddrPort{outer, other}, Symmetric},
		{[]netip.AddrPort{outer, elsewhere}, Symmetric},
		{[]netip.AddrPort{own, outer}, Symmetric},
	} {
		if got := Judge(own, c.seen); got != c.want {
			t.Errorf("seen as %v: %v, want %v", c.seen, got, c.want)
		}
	}
}

// server is a STUN server that says of whoever asks that his port is so much further;
// it leaves out its first answers, and sends nonsense before each.
func server(t *testing.T, further, leaves int) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFromUDP(b)
			if err != nil {
				return
			}
			if leaves--; leaves >= 0 {
				continue
			}
			question := &stun.Message{Raw: b[:n]}
			if question.Decode() != nil {
				continue
			}
			_, _ = conn.WriteToUDP([]byte("nonsense"), from)
			strange := stun.MustBuild(stun.TransactionID, stun.BindingSuccess, &stun.XORMappedAddress{IP: from.IP, Port: 9})
			_, _ = conn.WriteToUDP(strange.Raw, from)
			answer := stun.MustBuild(question, stun.BindingSuccess, &stun.XORMappedAddress{IP: from.IP, Port: from.Port + further})
			_, _ = conn.WriteToUDP(answer.Raw, from)
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

func TestProbe(t *testing.T) {
	own, plain, same, symmetric := server(t, 0, 0), server(t, 1, 1), server(t, 1, 2), server(t, 2, 0)
	silent := server(t, 0, 1000)
	for _, c := range []struct {
		servers []netip.AddrPort
		want    Kind
	}{
		{[]netip.AddrPort{own}, None},
		{[]netip.AddrPort{own, own}, None},
		{[]netip.AddrPort{plain, same}, Plain},
		{[]netip.AddrPort{own, symmetric}, Symmetric},
		{[]netip.AddrPort{symmetric, silent}, Unknown},
		{[]netip.AddrPort{silent}, Blocked},
	} {
		f, err := Probe(t.Context(), c.servers)
		if err != nil || f.Kind != c.want || f.Mapped.IsValid() != (c.want != Blocked) {
			t.Errorf("%v: %+v, %v; want %v", c.servers, f, err, c.want)
		}
	}
	if _, err := Probe(t.Context(), nil); err == nil {
		t.Error("no servers are asked")
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := Probe(ctx, []netip.AddrPort{silent}); err == nil {
		t.Error("who is to stop says that he found something")
	}
}

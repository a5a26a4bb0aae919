package hub

import (
	"log/slog"
	"net/netip"
	"testing"

	"github.com/tutti-audio/tutti/ostp"
)

// FuzzDatagram hands any bytes to a worker, as a stranger's, a listener's and the
// source's. Whatever they are, nothing breaks, and a stranger gets no more than he
// sent.
func FuzzDatagram(f *testing.F) {
	h, err := New(Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), Workers: 1, Settings: Default(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	defer h.Close()
	w := newWorker(h, h.ports[0])
	now := h.clock.now()
	var members []*member
	for i, text := range []string{"JOIN:a:::source:send", "JOIN:a:::listener:fec"} {
		addr := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(9+i))
		name, _ := w.port.Name(addr)
		h.gate.trust(addr, now)
		w.datagram([]byte(text), &name, now)
		members = append(members, h.members.get(addr))
	}
	stranger, _ := w.port.Name(netip.MustParseAddrPort("127.0.0.1:11"))
	for _, seed := range []string{
		"JOIN:b", "LEAVE", "PING:127.0.0.1:10:5", "SIGNAL:00000000:x", "CHALLENGE:ABCDEFGHIJ", "ROUTE:127.0.0.1:10:p2p", "\x7d0123456789012345678901234",
		"\x80\xc8\x00\x01abcd", "\x16\xfe\xfd\x00\x00", string(packet(7, 1, ostp.Opus, "x")), string(packet(7, 1, ostp.NACK, "\x00\x01\x00\x09")), string(packet(7, 1, ostp.FEC, "x")),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		now += 50e6
		before := count(h, "answers_total")
		w.datagram(b, &stranger, now)
		if answers := count(h, "answers_total"); answers != before {
			t.Fatalf("%q is answered to a stranger", b)
		}
		for _, m := range members {
			w.datagram(b, m.name, now)
			m.seen.Store(now)
		}
	})
}

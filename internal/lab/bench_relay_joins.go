package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/tutti-audio/tutti/ostp"
)

// relayListener is a member that reads what it is sent.
type relayListener struct {
	*net.UDPConn
	relay  netip.AddrPort
	packet ostp.Packet
	buf    []byte
}

func newListener(relay netip.AddrPort, channel string) (*relayListener, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(1 << 20)
	return &relayListener{UDPConn: conn, relay: relay, buf: make([]byte, 2000)}, joinRelay(conn, relay, "JOIN:"+channel+"::listener that reads")
}

// next reads until the packet with this sequence number, or a later one.
func (l *relayListener) next(sequence uint32) error {
	for {
		_ = l.SetReadDeadline(time.Now().Add(2 * time.Second))
		n, _, err := l.ReadFromUDPAddrPort(l.buf)
		if err != nil {
			return fmt.Errorf("packet %d did not arrive: %w", sequence, err)
		}
		if ostp.ParsePacket(&l.packet, l.buf[:n]) != nil {
			continue
		}
		if l.packet.SequenceNumber%100 == 0 {
			_, _ = l.WriteToUDPAddrPort([]byte("HELLO"), l.relay)
		}
		if int32(l.packet.Sequence()-sequence) >= 0 {
			return nil
		}
	}
}

// relayJoins has members come and go, 10,000 a minute, while 1,000 listen, and looks
// for packets that one who listens lacks.
func relayJoins(ctx context.Context, r *results) error {
	const rate, d = 10000.0 / 60, 20 * time.Second
	h, err := openHall(ctx)
	if err != nil {
		return err
	}
	defer h.close()
	p, s := h.relay, h.source
	l, err := newListener(p.udp, "bench/0")
	if err != nil {
		return err
	}
	defer l.Close()
	go play([]*relaySource{s}, 50, d)
	joined := make(chan int)
	go func() { joined <- comeAndGo(p.udp, rate, d) }()
	heard, gap, last := 0, 0.0, time.Now()
	for sent := int(50 * d.Seconds()); heard < sent; heard++ {
		if err := l.next(uint32(heard + 1)); err != nil {
			break
		}
		gap, last = max(gap, time.Since(last).Seconds()*1000), time.Now()
		if lost := int(l.packet.Sequence()) - heard - 1; lost > 0 {
			heard = int(l.packet.Sequence()) - 1
			r.add("gap in what a listener hears", float64(lost), "packets")
		}
	}
	r.add("joins while 1,000 listen", float64(<-joined)/d.Minutes(), "1/min")
	r.atMost("packets that a listener lacks meanwhile", 50*d.Seconds()-float64(heard), 0, "")
	r.add("longest time between two packets of 20 ms", gap, "ms")
	return nil
}

// comeAndGo joins and leaves so often a second, and returns how many joined.
func comeAndGo(relay netip.AddrPort, rate float64, d time.Duration) (joined int) {
	start := time.Now()
	for i := 0; time.Since(start) < d; i++ {
		time.Sleep(time.Until(start.Add(time.Duration(float64(i) / rate * 1e9))))
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return joined
		}
		if joinRelay(conn, relay, "JOIN:bench/0::who comes and goes") == nil {
			joined++
		}
		_, _ = conn.WriteToUDPAddrPort([]byte("LEAVE"), relay)
		_ = conn.Close()
	}
	return joined
}

// relayAmplification sends what a forged address could send, and counts what comes
// back to it.
func relayAmplification(ctx context.Context, r *results) error {
	p, err := startRelay(ctx, "")
	if err != nil {
		return err
	}
	defer p.stop()
	const binding, allocate = "\x00\x01\x00\x00\x21\x12\xa4\x42123456789012", "\x00\x03\x00\x08\x21\x12\xa4\x42123456789012\x00\x19\x00\x04\x11\x00\x00\x00"
	worst := 0.0
	for _, text := range []string{binding, allocate} {
		ratio, err := echoed(text, p.turn)
		if err != nil {
			return err
		}
		worst = max(worst, ratio)
	}
	for _, text := range []string{
		"JOIN:a", "JOIN:bench/0::a name of some length:and a device", "JOIN bench/0 pass name", "PING", "PING:0123456789012345678901234567", "LEAVE:bench/0-of-the-benchmark",
		"HELLO:0123456789012345678901234567890", "SIGNAL:01234567:" + strings.Repeat("x", 400), "PING:127.0.0.1:9:0123456789012", "CHALLENGE:ABCDEFGHIJ",
		"\x7d" + strings.Repeat("\x00", 24), "\x16\xfe\xfd" + strings.Repeat("\x00", 60), binding,
		"\x80\xc8\x00\x01abcd", "\x90\x60" + strings.Repeat("\x00", 400),
	} {
		ratio, err := echoed(text, p.udp)
		if err != nil {
			return err
		}
		worst = max(worst, ratio)
	}
	r.atMost("bytes out per byte in, forged address, worst of 17 kinds", worst, 1, "")
	return nil
}

// echoed sends a text many times, and returns how many bytes come back for each.
func echoed(text string, to netip.AddrPort) (float64, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	in, out := 0, 0
	for range 50 {
		_, _ = conn.WriteToUDPAddrPort([]byte(text), to)
		in += len(text)
	}
	b := make([]byte, 2000)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		n, _, err := conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return float64(out) / float64(in), nil
		}
		out += n
	}
}

package main

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/internal/udp"
	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/describe"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// stranger is a third host on the group that hears everything and sends what it
// should not, from its own address and in the source's name.
type stranger struct {
	stream  *describe.Stream
	open    *net.UDPConn // from its own address
	spoofed *net.UDPConn // from the source's
	rng     *rand.Rand

	mu   sync.Mutex
	kept [][]byte // the stream's packets, oldest first
	done chan struct{}
}

// intrude puts a stranger on a host.
func (s *stage) intrude(m *machine) *stranger {
	s.Helper()
	x := &stranger{rng: rand.New(rand.NewPCG(1, 2)), done: make(chan struct{})}
	x.stream = s.description(m)
	var group *udp.Conn
	s.must(m.host.Do(func() error {
		ifi, own, err := udp.Multicast("")
		if err != nil {
			return err
		}
		if x.open, err = from(own, ifi, false); err != nil {
			return err
		}
		if x.spoofed, err = from(x.stream.Origin, ifi, true); err != nil {
			return err
		}
		group, err = udp.Listen(netip.AddrPortFrom(own, x.stream.Port), udp.Options{Group: x.stream.Group, Interface: ifi}, hostclock.New(0))
		return err
	}))
	go x.listen(group)
	s.Cleanup(func() {
		group.Close()
		<-x.done
		x.open.Close()
		x.spoofed.Close()
	})
	for began := time.Now(); len(x.heard()) < 400; time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > patience {
			s.Fatal("the stranger does not hear the stream")
		}
	}
	return x
}

// description is the stream's, as a host gets it from the source.
func (s *stage) description(m *machine) *describe.Stream {
	s.Helper()
	r, err := m.client.Get("http://" + s.source.address + "/v1/stream.sdp")
	s.must(err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	s.must(err)
	d, err := describe.ParseSDP(b)
	s.must(err)
	return d
}

// from opens a socket that multicasts from an address, its own or not.
func from(addr netip.Addr, ifi *net.Interface, foreign bool) (*net.UDPConn, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		e := c.Control(func(fd uintptr) {
			if foreign {
				err = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_TRANSPARENT, 1)
			}
			mreq := &unix.IPMreqn{Ifindex: int32(ifi.Index)}
			err = errors.Join(err, unix.SetsockoptIPMreqn(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_IF, mreq))
		})
		return errors.Join(e, err)
	}}
	conn, err := config.ListenPacket(context.Background(), "udp4", netip.AddrPortFrom(addr, 0).String())
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
}

// listen keeps the last ten seconds of the stream.
func (x *stranger) listen(group *udp.Conn) {
	defer close(x.done)
	buf := make([]byte, ostp.MaxPacket+1)
	var p ostp.Packet
	for {
		n, _, _, err := group.Read(buf)
		if err != nil {
			return
		}
		if ostp.ParsePacket(&p, buf[:n]) != nil || p.SSRC != x.stream.SSRC {
			continue
		}
		x.mu.Lock()
		x.kept = append(x.kept, append([]byte(nil), buf[:n]...))
		x.kept = x.kept[max(0, len(x.kept)-2000):]
		x.mu.Unlock()
	}
}

func (x *stranger) heard() [][]byte {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.kept
}

// recent returns a packet of about this age, in packets.
func (x *stranger) recent(age int) []byte {
	kept := x.heard()
	return append([]byte(nil), kept[max(0, len(kept)-1-age)]...)
}

// forge returns the newest packet, changed and with a right CRC.
func (x *stranger) forge(change func(*ostp.Packet)) []byte {
	var p ostp.Packet
	if ostp.ParsePacket(&p, x.recent(0)) != nil {
		return nil
	}
	change(&p)
	b, err := ostp.AppendPacket(nil, &p)
	if err != nil {
		return nil
	}
	return b
}

// attack is one way to send what should not be sent.
type attack struct {
	name string
	make func(x *stranger) []byte
}

func attacks() []attack {
	return []attack{
		{"truncated", func(x *stranger) []byte { b := x.recent(0); return b[:x.rng.IntN(len(b))] }},
		{"corrupted", func(x *stranger) []byte {
			b := x.recent(x.rng.IntN(20))
			b[x.rng.IntN(len(b))] ^= 1 << x.rng.IntN(8)
			return b
		}},
		{"foreign: noise", func(x *stranger) []byte { return x.noise(1 + x.rng.IntN(1400)) }},
		{"foreign: plain RTP", func(x *stranger) []byte { return append([]byte{0x80, 96, 1, 2}, x.noise(200)...) }},
		{"foreign: empty", func(*stranger) []byte { return []byte{} }},
		{"absurd length: 60,000 bytes", func(x *stranger) []byte { return x.noise(60000) }},
		{"duplicated", func(x *stranger) []byte { return x.recent(0) }},
		{"seconds late", func(x *stranger) []byte { return x.recent(300 + x.rng.IntN(1500)) }},
		{"replayed in disorder", func(x *stranger) []byte { return x.recent(x.rng.IntN(40)) }},
		{"another source on the group", func(x *stranger) []byte {
			return x.forge(func(p *ostp.Packet) { p.SSRC ^= 0x5555; p.Payload = x.noise(len(p.Payload)) })
		}},
		{"another stream of the source", func(x *stranger) []byte {
			return x.forge(func(p *ostp.Packet) { p.StreamID ^= 3 })
		}},
		{"unknown payload type", func(x *stranger) []byte { return x.forge(func(p *ostp.Packet) { p.PayloadType = 77 }) }},
		{"absurd length: no payload", func(x *stranger) []byte {
			return x.forge(func(p *ostp.Packet) { p.SetSequence(p.Sequence() + 1); p.Payload = nil })
		}},
		{"absurd length: greatest payload", func(x *stranger) []byte {
			return x.forge(func(p *ostp.Packet) { p.SetSequence(p.Sequence() + 2); p.Payload = x.noise(ostp.MaxPayload) })
		}},
		{"absurd timestamp", func(x *stranger) []byte {
			return x.forge(func(p *ostp.Packet) {
				p.SetSequence(p.Sequence() + 3)
				p.MediaTimestamp += uint32(timebase.Rate * (60 + x.rng.IntN(80000)))
			})
		}},
		{"absurd sequence", func(x *stranger) []byte {
			return x.forge(func(p *ostp.Packet) { p.SetSequence(p.Sequence() + 1<<20 + x.rng.Uint32()>>1) })
		}},
	}
}

func (x *stranger) noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(x.rng.Uint32())
	}
	return b
}

// harass sends every attack in turn, from both addresses, about a thousand
// datagrams a second.
func (x *stranger) harass(all []attack, length time.Duration) {
	to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(x.stream.Group, x.stream.Port))
	for n, began := 0, time.Now(); time.Since(began) < length; n++ {
		if b := all[n%len(all)].make(x); b != nil {
			_, _ = x.open.WriteTo(b, to)
			_, _ = x.spoofed.WriteTo(b, to)
		}
		if n%4 == 3 {
			time.Sleep(8 * time.Millisecond)
		}
	}
}

// Whatever strangers send to the group of a stream, from their own address or in
// the source's name, what is heard does not change; all of it is counted, and
// memory stays bounded.
func TestStrangers(t *testing.T) {
	s := newStage(t, []*room{{name: "Hall", cardPPM: 40, hostPPM: 20}})
	hall := s.rooms[0]
	third := s.host("stranger")
	s.play()
	s.send("--channel", "house", "--codec", "pcm16", "--packet", "5ms", "--latency", "400ms", "tone:1000:-6")
	s.playing(hall.machine)
	x := s.intrude(third)
	s.until(hall.machine, "settled", func(st control.Status) bool { return st.Timing.SinceAlignedS > 1 })
	memoryBefore := memory(hall.cmd.Process.Pid)
	w := s.undisturbed(func() { x.harass(attacks(), 8*time.Second) })
	grown := memory(hall.cmd.Process.Pid) - memoryBefore
	t.Logf("memory grew by %.1f MB; counted %+v", grown, w.after[0].Packets)
	if grown > 24 {
		t.Errorf("memory grew by %.1f MB", grown)
	}
	b, a := w.before[0].Packets, w.after[0].Packets
	for name, rose := range map[string]bool{
		"damaged": a.Damaged > b.Damaged, "foreign": a.Foreign > b.Foreign, "other_stream": a.OtherStream > b.OtherStream,
		"unknown_type": a.UnknownType > b.UnknownType, "late": a.Late > b.Late, "duplicate": a.Duplicate > b.Duplicate, "early": a.Early > b.Early,
	} {
		if !rose {
			t.Errorf("%s did not count", name)
		}
	}
	jumps := int(w.after[0].Timing.Jumps - w.before[0].Timing.Jumps)
	if st := w.after[0]; st.State != "playing" || st.Stream.Unicast || a.Lost != b.Lost || jumps > w.dry(0) {
		t.Errorf("after the attack: state %q, unicast %v, %d lost, %d jumps", st.State, st.Stream.Unicast, a.Lost-b.Lost, jumps)
	}
	hall.stop()
	s.unbroken(0, w, "strangers on the group")
}

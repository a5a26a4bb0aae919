package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/tutti-audio/tutti/ostp"
	wire "github.com/tutti-audio/tutti/ostp/line"
)

// opusFrame is the payload of the relay's benchmarks: with header and CRC 350 bytes,
// as 20 ms of Opus at 128 kb/s have.
const opusFrame = 350 - ostp.HeaderSize - ostp.TrailerSize

// relayProcess is a tutti-relay of its own, with limits that a benchmark does not
// meet.
type relayProcess struct {
	cmd  *exec.Cmd
	udp  netip.AddrPort
	turn netip.AddrPort
	http string
}

// startRelay starts build/tutti-relay on free ports, with more configuration.
func startRelay(ctx context.Context, more string) (*relayProcess, error) {
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	here := netip.MustParseAddr("127.0.0.1")
	r := &relayProcess{udp: netip.AddrPortFrom(here, ports[0]), turn: netip.AddrPortFrom(here, ports[2]), http: fmt.Sprintf("127.0.0.1:%d", ports[1])}
	file := filepath.Join("build", "bench-relay.toml")
	text := fmt.Sprintf("listen = %q\nlines = \"\"\nhttp = \"\"\nmetrics = %q\ndrain_s = 0\nturn.listen = %q\nturn.public = \"127.0.0.1\"\n[limits]\nmembers = 50000\njoins_per_second = 1000\njoins_per_network = 100000\nsource_kbytes = 100000\n%s", r.udp, r.http, r.turn, more)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return nil, err
	}
	r.cmd = exec.CommandContext(ctx, filepath.Join("build", "tutti-relay"), "run", "--config", file)
	r.cmd.Stderr = os.Stderr
	if err := r.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: `make build` makes it", err)
	}
	for range 100 {
		if c, err := net.Dial("tcp", r.http); err == nil {
			return r, c.Close()
		}
		time.Sleep(20 * time.Millisecond)
	}
	r.stop()
	return nil, errors.New("the relay does not answer")
}

func (r *relayProcess) stop() {
	_ = r.cmd.Process.Signal(os.Interrupt)
	_ = r.cmd.Wait()
}

func freePorts(n int) (ports []uint16, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, uint16(l.Addr().(*net.TCPAddr).Port))
	}
	return ports, nil
}

// crowd is many UDP members of one process. They read nothing but the answers to
// their JOINs: what comes later fills a small buffer and is dropped by the kernel.
type crowd struct {
	relay netip.AddrPort
	conns []*net.UDPConn
	quit  chan struct{}
	wait  sync.WaitGroup
	mouth sync.Mutex // held by who speaks for the crowd, or has it be silent
}

// newCrowd joins n members, a thousand to a channel, and keeps them alive.
func newCrowd(relay netip.AddrPort, n int) (*crowd, error) {
	c := &crowd{relay: relay, quit: make(chan struct{})}
	for i := range n {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			c.close()
			return nil, fmt.Errorf("%w: `ulimit -n` may be too low", err)
		}
		c.conns = append(c.conns, conn)
		if err := joinRelay(conn, relay, fmt.Sprintf("JOIN:bench/%d::listener of the benchmark", i/1000)); err != nil {
			c.close()
			return nil, err
		}
		_ = conn.SetReadBuffer(1)
	}
	c.wait.Go(c.keepAlive)
	return c, nil
}

// joinRelay proves the address and joins.
func joinRelay(conn *net.UDPConn, relay netip.AddrPort, text string) error {
	b := make([]byte, 2000)
	for range 20 {
		_, _ = conn.WriteToUDPAddrPort([]byte(text), relay)
		_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		for {
			n, _, err := conn.ReadFromUDPAddrPort(b)
			if err != nil {
				break
			}
			l, _ := wire.Parse(b[:n])
			switch l := l.(type) {
			case wire.Challenge:
				_, _ = conn.WriteToUDPAddrPort(b[:n], relay)
				_, _ = conn.WriteToUDPAddrPort([]byte(text), relay)
			case wire.ID:
				return nil
			case wire.Err:
				return fmt.Errorf("the relay refuses: %s", l.Word)
			}
		}
	}
	return errors.New("the relay does not answer a JOIN")
}

func (c *crowd) keepAlive() {
	tick := time.NewTicker(4 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-c.quit:
			return
		case <-tick.C:
		}
		c.mouth.Lock()
		for _, conn := range c.conns {
			_, _ = conn.WriteToUDPAddrPort([]byte("HELLO"), c.relay)
		}
		c.mouth.Unlock()
	}
}

// silently does something while the crowd does not speak; not for long, or the relay
// forgets it.
func (c *crowd) silently(do func()) {
	c.mouth.Lock()
	defer c.mouth.Unlock()
	do()
}

// ports is where the crowd listens, as the C program reads it.
func (c *crowd) ports() string {
	var b strings.Builder
	for _, conn := range c.conns {
		fmt.Fprintln(&b, conn.LocalAddr().(*net.UDPAddr).Port)
	}
	return b.String()
}

func (c *crowd) close() {
	close(c.quit)
	c.wait.Wait()
	for _, conn := range c.conns {
		_ = conn.Close()
	}
}

// relaySource sends packets into one channel.
type relaySource struct {
	*net.UDPConn
	packet ostp.Packet
	buf    []byte
	relay  netip.AddrPort
}

func newRelaySource(relay netip.AddrPort, channel string) (*relaySource, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	s := &relaySource{UDPConn: conn, relay: relay}
	s.packet.PayloadType, s.packet.SSRC, s.packet.Payload = uint8(ostp.Opus), uint32(conn.LocalAddr().(*net.UDPAddr).Port), make([]byte, opusFrame)
	return s, joinRelay(conn, relay, "JOIN:"+channel+"::source of the benchmark:source-"+channel+":send")
}

// send sends the next packet.
func (s *relaySource) send() {
	s.packet.SetSequence(s.packet.Sequence() + 1)
	if b, err := ostp.AppendPacket(s.buf[:0], &s.packet); err == nil {
		s.buf = b
		_, _ = s.WriteToUDPAddrPort(b, s.relay)
	}
}

// play sends so many packets a second from each source for a time.
func play(sources []*relaySource, perSecond float64, d time.Duration) {
	start := time.Now()
	for i := 0; ; i++ {
		at := start.Add(time.Duration(float64(i) / perSecond * 1e9))
		if at.Sub(start) >= d {
			return
		}
		time.Sleep(time.Until(at))
		for _, s := range sources {
			s.send()
		}
	}
}

// hall is a relay with a channel of 1,000 listeners and a source.
type hall struct {
	relay  *relayProcess
	crowd  *crowd
	source *relaySource
}

func openHall(ctx context.Context) (*hall, error) {
	p, err := startRelay(ctx, "")
	if err != nil {
		return nil, err
	}
	h := &hall{relay: p}
	if h.crowd, err = newCrowd(p.udp, 1000); err != nil {
		p.stop()
		return nil, err
	}
	if h.source, err = newRelaySource(p.udp, "bench/0"); err != nil {
		h.crowd.close()
		p.stop()
		return nil, err
	}
	return h, nil
}

func (h *hall) close() {
	_ = h.source.Close()
	h.crowd.close()
	h.relay.stop()
}

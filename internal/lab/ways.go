package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tutti-audio/tutti/internal/netlab"
)

// ways is a house with a source, a speaker that stays and some that lose and regain
// their networks: each of these is on the LAN by eth0 and on the internet by eth1.
type ways struct {
	world  *world
	source *machine
	stays  *room
	moves  []*mover
	noise  func() // ends what disturbs
}

// mover is a speaker whose ways come and go.
type mover struct {
	*room
	rng       *rand.Rand
	now       string // the way that is left to it
	unplugged bool
	forced    int
	missed    []string // ways that it did not come to play by
}

// everyWay lists the ways, best first.
func everyWay() []string { return []string{"lan", "p2p", "relay", "websocket"} }

const (
	waysLAN      = "10.77.0.%d"
	waysInternet = "203.0.113.%d"
	waysStart    = 40 * time.Second
	waysOn       = 8 * time.Second // to play by the way that is left; p2p is tried again after up to 30 s
)

// newWays builds the house and starts the programs. The source plays a file, which is
// returned as samples, with the latency given.
func newWays(ctx context.Context, binary, dir string, seed uint64, moving int, length, latency time.Duration) (*ways, []float32, error) {
	w, err := newWorld(binary, dir)
	if err != nil {
		return nil, nil, err
	}
	s := &ways{world: w, stays: &room{name: "Stays", cardPPM: 40}, noise: func() {}}
	lan, err := w.house.lab.NewSwitch("lan")
	if err != nil {
		return s, nil, err
	}
	if s.source, err = s.place("source", lan, 1); err != nil {
		return s, nil, err
	}
	if s.stays.machine, err = s.place("Stays", lan, 2); err != nil {
		return s, nil, err
	}
	for i := range moving {
		m := &mover{room: &room{name: fmt.Sprintf("Moves %d", i+1), cardPPM: float64(30 - 60*i)}, rng: rand.New(rand.NewPCG(seed, uint64(i))), now: "lan"}
		if m.machine, err = s.place(m.name, lan, byte(10+i)); err != nil {
			return s, nil, err
		}
		s.moves = append(s.moves, m)
	}
	original, err := writeRustle(filepath.Join(dir, "rustle.wav"), seed, length)
	return s, original, errors.Join(err, s.start(ctx, filepath.Join(dir, "rustle.wav"), latency))
}

// place makes a host with both links.
func (s *ways) place(name string, lan *netlab.Switch, n byte) (*machine, error) {
	m, err := s.world.place(name, lan, netip.MustParsePrefix(fmt.Sprintf(waysLAN+"/24", n)))
	if err != nil {
		return nil, err
	}
	m.address = "127.0.0.1:8400" // it answers whatever becomes of its links
	_, err = m.host.Connect(s.world.house.sw, netip.MustParsePrefix(fmt.Sprintf(waysInternet+"/24", 100+n)))
	return m, errors.Join(err, m.host.Filter(only("lan")))
}

// start starts the programs, and waits until all play.
func (s *ways) start(ctx context.Context, file string, latency time.Duration) error {
	err := s.world.startRelay(ctx, "")
	err = errors.Join(err, s.source.source(ctx, "--channel", "far", "--relay", relayAddress, "--interface", "eth0", "--codec", "pcm16", "--latency", latency.String(), file))
	all := []*machine{s.stays.machine}
	err = errors.Join(err, s.stays.speaker(ctx, s.stays.card(100), "--channel", "far"))
	for i, m := range s.moves {
		err = errors.Join(err, m.speaker(ctx, m.card(i), "--channel", "far", "--relay", relayAddress))
		all = append(all, m.machine)
	}
	if err != nil {
		return err
	}
	err = waitPlaying(ctx, waysStart, all...)
	wait(ctx, young*time.Second/48000) // from then on nothing may be stepped over
	return err
}

// only is a host's filter that leaves it one way, and those that are worse.
func only(way string) netlab.Filter {
	source := fmt.Sprintf(waysInternet, 101)
	f := netlab.Filter{ // the internet is no LAN
		In:  "iifname lo accept\niifname eth1 ip daddr 224.0.0.0/4 drop\niifname eth1 meta nfproto ipv6 drop\n",
		Out: "oifname lo accept\noifname eth1 ip daddr 224.0.0.0/4 drop\noifname eth1 meta nfproto ipv6 drop\n",
	}
	switch way {
	case "websocket":
		f.In, f.Out = f.In+"meta l4proto udp drop\n", f.Out+"meta l4proto udp drop\n"
		fallthrough
	case "relay":
		f.In, f.Out = f.In+"ip saddr "+source+" drop\n", f.Out+"ip daddr "+source+" drop\n"
		fallthrough
	case "p2p":
		f.In, f.Out = f.In+"iifname eth0 drop\n", f.Out+"oifname eth0 drop\n"
	}
	return f
}

// force leaves the speaker one way and those that are worse; off the LAN it may be by
// pulling the cable.
func (m *mover) force(way string) error {
	err := m.host.Filter(only(way))
	pull := way != "lan" && (m.unplugged || m.now == "lan" && m.rng.IntN(2) == 0)
	switch {
	case pull && !m.unplugged:
		err = errors.Join(err, m.link.Unplug())
	case !pull && m.unplugged:
		err = errors.Join(err, m.link.Plug())
	}
	m.now, m.unplugged, m.forced = way, pull, m.forced+1
	return err
}

// move forces the speaker from way to way at random moments until there is an end of it.
func (m *mover) move(ctx context.Context) error {
	for ctx.Err() == nil {
		next := everyWay()[m.rng.IntN(4)]
		if next == m.now {
			continue
		}
		if err := m.force(next); err != nil {
			return err
		}
		if !m.plays(ctx, next) && ctx.Err() == nil {
			m.missed = append(m.missed, next)
		}
		wait(ctx, time.Duration(200+m.rng.IntN(1500))*time.Millisecond)
	}
	return nil
}

// plays waits until the speaker plays by a way.
func (m *mover) plays(ctx context.Context, way string) bool {
	for end := time.Now().Add(waysOn); time.Now().Before(end) && ctx.Err() == nil; wait(ctx, 50*time.Millisecond) {
		if s, err := m.status(); err == nil && s.Path != nil && s.Path.Mode == way && s.State == "playing" {
			return true
		}
	}
	return false
}

// changes counts how often another way took the lead, by the speaker's log.
func (m *mover) changes() int {
	b, _ := os.ReadFile(filepath.Join(m.house.dir, m.name+".log"))
	return max(0, strings.Count(string(b), "msg=playing by=")-1)
}

// disturb has so many busy loops beside the house, and packets for nobody.
func (s *ways) disturb(ctx context.Context, loops int) error {
	ctx, cancel := context.WithCancel(ctx)
	host, err := s.world.house.lab.NewHost("busy")
	if err != nil {
		cancel()
		return err
	}
	var all []*netlab.Process
	for range loops {
		p, startErr := host.Start(host.Command(ctx, "sh", "-c", "while :; do :; done"))
		if err = errors.Join(err, startErr); startErr == nil {
			all = append(all, p)
		}
	}
	done := make(chan struct{})
	go func() { defer close(done); s.babble(ctx) }()
	s.noise = func() {
		cancel()
		<-done
		for _, p := range all {
			_ = p.Wait()
		}
	}
	return err
}

// babble sends the speakers packets that mean nothing, to the ports of media and to others.
func (s *ways) babble(ctx context.Context) {
	var conn net.PacketConn
	err := s.source.host.Do(func() (err error) {
		conn, err = net.ListenPacket("udp4", fmt.Sprintf(waysLAN+":0", 1))
		return err
	})
	if err != nil {
		return
	}
	defer conn.Close()
	b := make([]byte, 1000)
	for n := 0; ctx.Err() == nil; n++ {
		b[0] = byte(n)
		to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 77, 0, byte(10 + n%len(s.moves))}), uint16(5004+n%3))
		_, _ = conn.WriteTo(b, net.UDPAddrFromAddrPort(to)) // a cable may be out
		if n%10 == 0 {
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// close ends everything.
func (s *ways) close() error {
	s.noise()
	return s.world.close()
}

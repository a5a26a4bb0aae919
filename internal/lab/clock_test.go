package main

import (
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/internal/measure"
	"github.com/tutti-audio/tutti/ostp/clockmsg"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// flood asks the source for the time about rate times a second, from four
// sockets of a host, and returns how many requests left.
func (s *stage) flood(m *machine, rate int, length time.Duration) (asked int) {
	s.Helper()
	d := s.description(m)
	to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(d.Origin, d.Clock))
	var mu sync.Mutex
	var wait sync.WaitGroup
	const sockets = 4
	for range sockets {
		var conn *net.UDPConn
		s.must(m.host.Do(func() (err error) {
			conn, err = net.ListenUDP("udp4", nil)
			return err
		}))
		wait.Go(func() {
			defer conn.Close()
			n := 0
			var client clockmsg.Client
			began := time.Now()
			for time.Since(began) < length {
				for due := int(time.Since(began).Seconds() * float64(rate) / sockets); n < due; n++ {
					_, _ = conn.WriteTo(client.Request(nil, uint64(2*n+1), uint64(2*n+1), timebase.Local(n)), to)
				}
				time.Sleep(2 * time.Millisecond)
			}
			mu.Lock()
			asked += n
			mu.Unlock()
		})
	}
	wait.Wait()
	return asked
}

// A host that asks for the time ten thousand times a second costs the source
// little, and costs the speakers nothing.
func TestClockFlood(t *testing.T) {
	s := newStage(t, []*room{{name: "Hall", cardPPM: 60, hostPPM: 50}, {name: "Porch", cardPPM: -90, hostPPM: -70}})
	third := s.host("third")
	s.play()
	s.send("--channel", "house", "--latency", "400ms", "tune")
	s.playing(machines(s.rooms)...)
	s.until(s.rooms[1].machine, "settled", func(st control.Status) bool { return st.Timing.SinceAlignedS > 2 })
	asked, cpu := 0, 0.0
	w := s.undisturbed(func() {
		began, used := time.Now(), cpuSeconds(s.source.cmd.Process.Pid)
		asked = s.flood(third, 10000, 6*time.Second)
		cpu = (cpuSeconds(s.source.cmd.Process.Pid) - used) / time.Since(began).Seconds()
	})
	s.says(s.source, "too many", "10.77.0.4")
	for _, r := range s.rooms {
		r.stop()
	}
	offsets := s.aligned(s.rooms[0], s.rooms[1], w.span, 250*time.Millisecond)
	p50, most := measure.Percentile(offsets, 50), measure.Percentile(offsets, 100)
	dry := w.dry(0) + w.dry(1)
	t.Logf("%d requests in 6 s took %.2f of a processor; alignment meanwhile: median %v, max %v; load %s", asked, cpu, p50, most, load())
	if asked < 20000 {
		t.Errorf("only %d requests were sent", asked)
	}
	if cpu > 0.6 {
		t.Errorf("the source took %.2f of a processor", cpu)
	}
	if len(offsets) < 10 || p50 > 500*time.Microsecond || most > 500*time.Microsecond && dry == 0 {
		t.Errorf("alignment of %d windows: median %v, max %v", len(offsets), p50, most)
	}
	for i := range s.rooms {
		a, b := w.after[i], w.before[i]
		if w.dry(i) == 0 && (a.Packets.Concealed != b.Packets.Concealed || a.Timing.Jumps != b.Timing.Jumps) {
			t.Errorf("%s was disturbed: %+v, %d jumps", s.rooms[i].name, a.Packets, a.Timing.Jumps-b.Timing.Jumps)
		}
	}
}

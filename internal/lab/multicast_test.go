package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/internal/netlab"
)

// A network that passes no multicast, one that loses a quarter of it, and one that
// doubles and shuffles it: the speaker asks for a copy by itself where it must,
// keeps it as long as it must, and gives it up when multicast is back.
func TestPoorMulticast(t *testing.T) {
	t.Parallel()
	hall := &room{name: "Hall", cardPPM: 40}
	s := newStage(t, []*room{hall}, netlab.WithImpairment(7))
	impair := func(c netlab.Conditions) { s.must(hall.link.Impair(netlab.ToHost, c)) }
	settled := func(st control.Status) bool { return st.State == "playing" && st.Timing.SinceAlignedS > 1 }
	unicast := func(st control.Status) bool { return settled(st) && st.Stream.Unicast }

	shuffled := netlab.Conditions{Delay: 10 * time.Millisecond, Jitter: 10 * time.Millisecond, Reorder: true, Duplicate: 0.2}
	impair(shuffled)
	s.play()
	s.send("--channel", "house", "--codec", "pcm16", "--latency", "400ms", "tone:1000:-6")
	s.playing(hall.machine)
	s.until(hall.machine, "settled", settled)
	calm := s.undisturbed(func() { time.Sleep(3 * time.Second) })
	if a, b := calm.after[0], calm.before[0]; a.Packets.Duplicate == b.Packets.Duplicate || a.Packets.Lost != b.Packets.Lost || a.Stream.Unicast {
		t.Errorf("doubled and shuffled: %+v, unicast %v", a.Packets, a.Stream.Unicast)
	}

	began := monotonic()
	impair(netlab.Conditions{BlockMulticast: true, PassDiscovery: true})
	s.until(hall.machine, "playing by a copy", unicast)
	copied := s.undisturbed(func() { time.Sleep(3 * time.Second) })
	if a, b := copied.after[0], copied.before[0]; !a.Stream.Unicast || a.Packets.Lost != b.Packets.Lost {
		t.Errorf("by a copy: %+v", a.Packets)
	}
	s.says(hall.machine, "receiving a copy of our own", "does not arrive")
	s.says(s.source, "sending a copy to a speaker")

	impair(netlab.Conditions{})
	took := s.until(hall.machine, "playing by multicast again", func(st control.Status) bool { return settled(st) && !st.Stream.Unicast })
	t.Logf("the copy was given up %v after multicast was back", took.Round(100*time.Millisecond))
	s.says(hall.machine, "giving up the copy")
	time.Sleep(1500 * time.Millisecond) // the source learns it from the next report
	back := s.undisturbed(func() { time.Sleep(2 * time.Second) })
	if a, b := back.after[0].Packets, back.before[0].Packets; a.Lost != b.Lost || a.Duplicate != b.Duplicate {
		t.Errorf("by multicast again: %+v after %+v", a, b)
	}
	hall.stop()
	o := s.outage(hall, span{began, copied.to})
	t.Logf("multicast blocked: silent for %v, sound back for good %v after it was blocked", o.silent, time.Duration(o.back-began))
	s.unbroken(0, calm, "doubled and shuffled")
	s.unbroken(0, copied, "by a copy")
	s.unbroken(0, back, "by multicast again")
}

// A quarter of all multicast lost: the speaker asks for a copy by itself, and
// nothing is lost from then on.
func TestLossyMulticast(t *testing.T) {
	t.Parallel()
	hall := &room{name: "Hall"}
	s := newStage(t, []*room{hall}, netlab.WithImpairment(8))
	s.play()
	s.send("--channel", "house", "--codec", "pcm16", "--latency", "400ms", "tone:1000:-6")
	s.playing(hall.machine)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		loseMulticast(hall.link, stop)
	}()
	took := s.until(hall.machine, "playing by a copy", func(st control.Status) bool { return st.Stream != nil && st.Stream.Unicast })
	time.Sleep(500 * time.Millisecond) // what was lost before has been played
	w := s.undisturbed(func() { time.Sleep(4 * time.Second) })
	close(stop)
	<-done
	blocked := hall.link.Counts(netlab.ToHost)
	t.Logf("a copy after %v; multicast lost %d of %d frames", took.Round(100*time.Millisecond), blocked.Blocked, blocked.In)
	if a, b := w.after[0].Packets.Lost, w.before[0].Packets.Lost; a != b || b == 0 {
		t.Errorf("lost: %d without a copy, %d with it", b, a-b)
	}
	s.says(hall.machine, "receiving a copy of our own", "loses too much")
	hall.stop()
	s.unbroken(0, w, "by a copy")
}

// loseMulticast loses about a quarter of a link's group traffic and nothing else.
func loseMulticast(link *netlab.Link, stop <-chan struct{}) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		case <-tick.C:
			_ = link.Impair(netlab.ToHost, netlab.Conditions{BlockMulticast: n%4 == 0, PassDiscovery: true})
		}
	}
}

// Sixteen speakers that multicast does not reach are served one copy each, and
// the seventeenth is told why it is not.
func TestSixteenCopies(t *testing.T) {
	s := newStage(t, nil, netlab.WithImpairment(9))
	s.must(s.source.link.Impair(netlab.ToSwitch, netlab.Conditions{BlockMulticast: true, PassDiscovery: true}))
	var all []*machine
	for n := range 17 {
		all = append(all, s.host(fmt.Sprintf("Room %d", n+1)))
	}
	s.send("--channel", "house", "--codec", "pcm16", "--latency", "500ms", "tone:1000:-6")
	for _, m := range all[:16] {
		s.must(m.speaker(s.Context(), "null"))
	}
	s.playing(all[:16]...)
	for _, m := range all[:16] {
		s.until(m, "playing by a copy", func(st control.Status) bool { return st.Stream != nil && st.Stream.Unicast })
	}
	last := all[16]
	s.must(last.speaker(s.Context(), "null"))
	s.says(last, "no copy of our own", "already sending 16 copies")
	lost := int64(0)
	for _, m := range all[:16] {
		lost -= int64(s.now(m).Packets.Lost)
	}
	cpu, began := cpuSeconds(s.source.cmd.Process.Pid), time.Now()
	time.Sleep(4 * time.Second)
	cpu = (cpuSeconds(s.source.cmd.Process.Pid) - cpu) / time.Since(began).Seconds()
	for _, m := range all[:16] {
		st := s.now(m)
		lost += int64(st.Packets.Lost)
		if st.State != "playing" || !st.Stream.Unicast {
			t.Errorf("%s: %s, unicast %v", m.name, st.State, st.Stream != nil && st.Stream.Unicast)
		}
	}
	t.Logf("sixteen copies took %.3f of a processor; load %s", cpu, load())
	if lost != 0 {
		t.Errorf("%d packets were lost by sixteen copies", lost)
	}
	if cpu > 0.6 {
		t.Errorf("sixteen copies took %.2f of a processor", cpu)
	}
}

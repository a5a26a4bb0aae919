package netlab

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"testing"
	"time"
)

const ms = time.Millisecond

// udpFrame is a UDP datagram of 200 bytes in all, to a unicast or group address.
func udpFrame(toGroup bool) []byte {
	f := make([]byte, 200)
	copy(f, []byte{0x02, 0, 0, 0, 0, 1})
	binary.BigEndian.PutUint16(f[12:], etherIPv4)
	f[14] = 0x45
	f[14+9] = protoUDP
	copy(f[14+16:], []byte{10, 0, 0, 2})
	if toGroup {
		copy(f, []byte{0x01, 0, 0x5e, 1, 2, 3})
		copy(f[14+16:], []byte{239, 1, 2, 3})
	}
	binary.BigEndian.PutUint16(f[14+20+6:], 0xabcd) // a checksum
	return f
}

// feed passes n frames, one each step, and returns what leaves.
func feed(c Conditions, n int, step time.Duration, frame func(i int) []byte) ([]due, Counts) {
	s := newShaper(7, ToHost)
	s.set(0, c)
	var out []due
	for i := range n {
		out = s.admit(time.Duration(i)*step, frame(i), out)
	}
	return out, s.n
}

func unicast(int) []byte { return udpFrame(false) }

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance {
		t.Errorf("%s: %v, want %v ± %v", what, got, want, tolerance)
	}
}

func TestDelayAndJitter(t *testing.T) {
	const step = ms
	for _, reorder := range []bool{false, true} {
		out, _ := feed(Conditions{Delay: 20 * ms, Jitter: 5 * ms, Reorder: reorder}, 20000, step, unicast)
		low, high, sum, backwards := time.Hour, time.Duration(0), time.Duration(0), 0
		for i, d := range out {
			wait := d.at - time.Duration(i)*step
			low, high, sum = min(low, wait), max(high, wait), sum+wait
			if i > 0 && d.at < out[i-1].at {
				backwards++
			}
		}
		if low < 15*ms || high > 25*ms {
			t.Errorf("delays from %v to %v, want 15 to 25 ms", low, high)
		}
		if reorder {
			near(t, "mean delay in ms", float64(sum)/float64(ms)/20000, 20, 0.2)
		}
		if (backwards > 0) != reorder {
			t.Errorf("reorder %v: %d frames overtook", reorder, backwards)
		}
	}
}

func TestLoss(t *testing.T) {
	out, n := feed(Conditions{Loss: 0.2}, 50000, ms, unicast)
	near(t, "lost part", float64(n.Lost)/50000, 0.2, 0.01)
	if len(out)+int(n.Lost) != 50000 {
		t.Errorf("%d left and %d lost of 50000", len(out), n.Lost)
	}
}

func TestBurstLoss(t *testing.T) {
	seen := make([]bool, 100000)
	out, n := feed(Conditions{BurstEvery: 900 * ms, BurstLength: 100 * ms}, len(seen), ms, unicast)
	for _, d := range out {
		seen[d.at/ms] = true
	}
	runs, run := 0, 0
	for _, s := range seen {
		if !s {
			run++
			continue
		}
		if run > 0 {
			runs++
			if run < 99 {
				t.Fatalf("a burst lost only %d ms", run)
			}
		}
		run = 0
	}
	near(t, "bursts in 100 s", float64(runs), 100, 30)
	near(t, "lost part", float64(n.Burst)/100000, 0.1, 0.03)
}

func TestDuplicate(t *testing.T) {
	out, n := feed(Conditions{Duplicate: 0.1}, 20000, ms, unicast)
	near(t, "duplicated part", float64(n.Duplicated)/20000, 0.1, 0.01)
	if len(out) != 20000+int(n.Duplicated) {
		t.Errorf("%d frames left, want %d", len(out), 20000+n.Duplicated)
	}
}

func TestCorrupt(t *testing.T) {
	clean := udpFrame(false)
	out, n := feed(Conditions{Corrupt: 0.5}, 2000, ms, unicast)
	near(t, "corrupted part", float64(n.Corrupted)/2000, 0.5, 0.05)
	bad := 0
	for _, d := range out {
		if bytes.Equal(d.frame, clean) {
			continue
		}
		bad++
		flipped := 0
		for i := 42; i < len(clean); i++ {
			flipped += bits.OnesCount8(clean[i] ^ d.frame[i])
		}
		if flipped != 1 || binary.BigEndian.Uint16(d.frame[40:]) != 0 || !bytes.Equal(d.frame[:40], clean[:40]) {
			t.Fatalf("want one bit of the payload and no checksum: %d bits, header %x", flipped, d.frame[:42])
		}
	}
	if bad != int(n.Corrupted) {
		t.Errorf("%d frames differ, %d counted", bad, n.Corrupted)
	}
	for length := 1; length < 60; length++ {
		_, _ = feed(Conditions{Corrupt: 1}, 10, ms, func(int) []byte { return clean[:length:length] })
	}
}

func TestBeaconHoldsOnlyGroups(t *testing.T) {
	const beacon = 102400 * time.Microsecond
	out, _ := feed(Conditions{Beacon: beacon, Delay: 2 * ms}, 1000, 5*ms, func(i int) []byte { return udpFrame(i%2 == 0) })
	for i, d := range out {
		arrived := time.Duration(i) * 5 * ms
		if i%2 == 1 {
			if d.at != arrived+2*ms {
				t.Fatalf("unicast of %v left at %v", arrived, d.at)
			}
			continue
		}
		if d.at%beacon != 0 || d.at < arrived || d.at > arrived+2*ms+beacon {
			t.Fatalf("group frame of %v left at %v, which is no beacon", arrived, d.at)
		}
	}
}

func TestBlockMulticast(t *testing.T) {
	igmp, mdns := udpFrame(true), udpFrame(true)
	igmp[14+9] = protoIGMP
	copy(mdns[14+16:], []byte{224, 0, 0, 251})
	broadcast := udpFrame(false)
	copy(broadcast, []byte{255, 255, 255, 255, 255, 255})
	v6 := make([]byte, 100)
	copy(v6, []byte{0x33, 0x33, 0, 0, 0, 0xfb})
	binary.BigEndian.PutUint16(v6[12:], etherIPv6)
	v6[14+6], v6[14+24], v6[14+39] = protoUDP, 0xff, 0xfb
	icmp6 := bytes.Clone(v6)
	icmp6[14+6] = protoICMPv6
	for _, c := range []struct {
		name              string
		frame             []byte
		passes, discovery bool
	}{
		{"unicast", udpFrame(false), true, true}, {"group", udpFrame(true), false, false},
		{"igmp", igmp, true, true}, {"mdns", mdns, false, true}, {"broadcast", broadcast, true, true},
		{"mdns over IPv6", v6, false, true}, {"icmpv6", icmp6, true, true},
	} {
		for _, pass := range []bool{false, true} {
			want := c.passes
			if pass {
				want = c.discovery
			}
			out, n := feed(Conditions{BlockMulticast: true, PassDiscovery: pass}, 1, 0, func(int) []byte { return c.frame })
			if (len(out) == 1) != want || (n.Blocked == 0) != want {
				t.Errorf("%s, PassDiscovery %v: passes %v, want %v", c.name, pass, len(out) == 1, want)
			}
		}
	}
}

func TestRateAndQueue(t *testing.T) {
	// 200-byte frames each millisecond are 1.6 Mb/s: half of them fit on 0.8.
	out, n := feed(Conditions{Rate: 800e3, Queue: 50 * ms}, 10000, ms, unicast)
	near(t, "part that passes", float64(len(out))/10000, 0.5, 0.01)
	if len(out)+int(n.Overflow) != 10000 {
		t.Errorf("%d passed and %d overflowed of 10000", len(out), n.Overflow)
	}
	for i := 1; i < len(out); i++ {
		if gap := out[i].at - out[i-1].at; gap != 2*ms {
			t.Fatalf("frames %v apart on the line, want 2 ms", gap)
		}
	}
}

func TestSeedRepeats(t *testing.T) {
	c := Conditions{Delay: 10 * ms, Jitter: 9 * ms, Loss: 0.1, Duplicate: 0.1, Corrupt: 0.1, BurstEvery: 100 * ms, BurstLength: 10 * ms}
	a, na := feed(c, 5000, ms, unicast)
	b, nb := feed(c, 5000, ms, unicast)
	if na != nb || len(a) != len(b) {
		t.Fatalf("two runs differ: %+v and %+v", na, nb)
	}
	for i := range a {
		if a[i].at != b[i].at || !bytes.Equal(a[i].frame, b[i].frame) {
			t.Fatalf("frame %d differs between runs of one seed", i)
		}
	}
}

func TestConditionsAreChecked(t *testing.T) {
	for _, c := range []Conditions{
		{Loss: 1.1}, {Loss: math.NaN()}, {Duplicate: -1}, {Corrupt: 2}, {Delay: -1}, {Rate: -1}, {BurstEvery: ms}, {BurstLength: ms},
	} {
		if c.check() == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
}

func TestImpairedLinkAtRunTime(t *testing.T) {
	_, hosts, links := pair(t, WithImpairment(3))
	a, b := listen(t, hosts[0], "udp4", ":0"), listen(t, hosts[1], "udp4", ":7000")
	if !reaches(a, b, hostAddr(links[1], 7000), patience) {
		t.Fatal("nothing passes before impairment")
	}
	if err := links[0].Impair(ToSwitch, Conditions{Loss: 1}); err != nil {
		t.Fatal(err)
	}
	if reaches(a, b, hostAddr(links[1], 7000), 200*ms) {
		t.Error("a frame passed a link that loses all")
	}
	if n := links[0].Counts(ToSwitch); n.Lost == 0 {
		t.Errorf("nothing was counted as lost: %+v", n)
	}
	if err := links[0].Impair(ToSwitch, Conditions{Delay: 60 * ms}); err != nil {
		t.Fatal(err)
	}
	sent := time.Now()
	if !reaches(a, b, hostAddr(links[1], 7000), patience) {
		t.Fatal("nothing passes after impairment")
	}
	if took := time.Since(sent); took < 60*ms {
		t.Errorf("a frame took %v on a link with 60 ms delay", took)
	}
	if err := links[1].Impair(ToHost, Conditions{}); err == nil {
		t.Error("a plain link was impaired")
	}
}

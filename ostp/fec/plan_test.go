package fec

import (
	"testing"
	"time"
)

const ms = time.Millisecond

// What is planned holds what it promises, by counting, and costs no more than it must.
func TestPlan(t *testing.T) {
	for _, c := range []struct {
		loss            float64
		burst, packet   time.Duration
		within          time.Duration
		least, overhead float64 // share that comes back at least; parity to data at most
	}{
		{0.01, 0, 10 * ms, 225 * ms, 0.999, 0.30},
		{0.05, 0, 10 * ms, 225 * ms, 0.999, 0.50},
		{0.20, 0, 10 * ms, 225 * ms, 0.995, 1.01},
		{0.02, 100 * ms, 10 * ms, 225 * ms, 0.999, 1.01},
		{0.05, 0, 5 * ms / 2, 25 * ms, 0.998, 0.51},
		{0.05, 0, 5 * ms / 2, 6 * ms, 0.985, 1.01},
		{0.05, 0, 20 * ms, 15 * ms, 0, 0},
	} {
		k, m := Plan(c.loss, c.burst, c.packet, c.within, leastLeft)
		if k+m == 0 {
			if c.least > 0 {
				t.Errorf("%+v: no parity", c)
			}
			continue
		}
		if last := time.Duration(k+m-2) * c.packet; last > c.within {
			t.Errorf("%+v: the last of %d and %d comes after %v", c, k, m, last)
		}
		if over := float64(m) / float64(k); over > c.overhead {
			t.Errorf("%+v: %d and %d, %.0f %% more", c, k, m, 100*over)
		}
		if failed := tail(k+m, m, c.loss); failed > 1-c.least {
			t.Errorf("%+v: %d and %d lose a block in %.4f", c, k, m, failed)
		}
		if c.burst > 0 && time.Duration(m)*c.packet < c.burst && m < (k+m)/2 {
			t.Errorf("%+v: %d of parity do not cover the burst", c, m)
		}
	}
	if _, m := Plan(0, 0, 10*ms, 225*ms, leastLeft); m != 0 {
		t.Error("parity on a path that loses nothing")
	}
}

// Parity is sent from the packets that were given up on, for the worst listener that
// can be helped, and ends when nobody needs it any more.
func TestAdapter(t *testing.T) {
	var a Adapter
	now := time.Unix(1000, 0)
	a.Report(1, Listener{Loss: 0.05}, now)
	if _, m := a.Shape(10*ms, 300*ms, now); m != 0 {
		t.Error("parity though asking again does")
	}
	a.Report(2, Listener{Loss: 0.10, Burst: 30 * ms, Given: 2}, now)
	a.Report(3, Listener{Loss: 0.60, Burst: 900 * ms, Given: 20}, now)
	k, m := a.Shape(10*ms, 300*ms, now)
	if m < 3 || m >= k {
		t.Errorf("%d and %d", k, m)
	}
	if _, m := a.Shape(10*ms, 300*ms, now.Add(memory+time.Second)); m != 0 {
		t.Error("parity without end")
	}
}

// Who says how long what is lost is of use, and how often it can be asked for, gets
// parity before anything is given up where asking does not do; as much as that leaves
// lost, and in time for the one who can wait least.
func TestAdapterByDeadline(t *testing.T) {
	const packet = 5 * ms / 2
	shape := func(all ...Listener) (k, m int) {
		var a Adapter
		now := time.Unix(1000, 0)
		for i, l := range all {
			a.Report(uint32(i), l, now)
		}
		return a.Shape(packet, 40*ms, now)
	}
	if _, m := shape(Listener{Loss: 0.05, Mend: 25 * ms, Asks: 3}); m != 0 {
		t.Error("parity though asking three times does")
	}
	if _, m := shape(Listener{Mend: 25 * ms}); m != 0 {
		t.Error("parity on a path that loses nothing")
	}
	k1, m1 := shape(Listener{Loss: 0.05, Mend: 25 * ms, Asks: 1})
	k0, m0 := shape(Listener{Loss: 0.05, Mend: 25 * ms})
	if m1 == 0 || m0 == 0 || m1*k0 >= m0*k1 {
		t.Errorf("%d and %d where it can be asked for once, %d and %d where it cannot", k1, m1, k0, m0)
	}
	k, m := shape(Listener{Loss: 0.05, Mend: 25 * ms}, Listener{Loss: 0.05, Mend: 12 * ms}, Listener{Mend: 3 * ms})
	if n := k + m; m == 0 || time.Duration(n-2)*packet > 12*ms {
		t.Errorf("%d and %d do not come in time for the second", k, m)
	}
}

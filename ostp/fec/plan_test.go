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
		latency         time.Duration
		least, overhead float64 // share that comes back at least; parity to data at most
	}{
		{0.01, 0, 10 * ms, 300 * ms, 0.999, 0.30},
		{0.05, 0, 10 * ms, 300 * ms, 0.999, 0.50},
		{0.20, 0, 10 * ms, 300 * ms, 0.995, 1.01},
		{0.02, 100 * ms, 10 * ms, 300 * ms, 0.999, 1.01},
		{0.05, 0, 5 * ms / 2, 40 * ms, 0, 1.01},
	} {
		k, m := Plan(c.loss, c.burst, c.packet, c.latency)
		if k+m == 0 {
			if c.least > 0 {
				t.Errorf("%+v: no parity", c)
			}
			continue
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
	if _, m := Plan(0, 0, 10*ms, 300*ms); m != 0 {
		t.Error("parity on a path that loses nothing")
	}
}

// Parity is sent from the first packet that could not be asked for in time, for the
// worst listener that can be helped, and ends when nobody needs it any more.
func TestAdapter(t *testing.T) {
	var a Adapter
	now := time.Unix(1000, 0)
	a.Report(1, 0.05, 0, false, now)
	if _, m := a.Shape(10*ms, 300*ms, now); m != 0 {
		t.Error("parity though asking again does")
	}
	a.Report(2, 0.10, 30*ms, true, now)
	a.Report(3, 0.60, 900*ms, true, now)
	k, m := a.Shape(10*ms, 300*ms, now)
	if m < 3 || m >= k {
		t.Errorf("%d and %d", k, m)
	}
	if _, m := a.Shape(10*ms, 300*ms, now.Add(memory+time.Second)); m != 0 {
		t.Error("parity without end")
	}
}

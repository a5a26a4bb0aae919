package lan

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/ostp/control"
)

// A copy lives as long as its speaker reports that it needs it, and from the
// address that it goes to; the clock port sees IPv4 addresses as IPv6 ones.
func TestCopyIsLeased(t *testing.T) {
	now := time.Now()
	to := netip.MustParseAddrPort("10.0.0.2:40000")
	mapped := netip.MustParseAddrPort("[::ffff:10.0.0.2]:41000")
	other := netip.MustParseAddrPort("[::ffff:10.0.0.3]:41000")
	needs := func(unicast bool) control.Receiver {
		return control.Receiver{SSRC: 7, Health: control.Health{Unicast: unicast}}
	}
	for _, test := range []struct {
		name  string
		from  netip.AddrPort
		needs bool
		kept  bool
	}{
		{"renewed by its speaker", mapped, true, true},
		{"no more needed", mapped, false, false},
		{"reported by another address", other, true, false},
	} {
		r := newReceivers()
		if fresh, err := r.subscribe(to, 7, now); !fresh || err != nil {
			t.Fatalf("%s: %v, %v", test.name, fresh, err)
		}
		for at := now; at.Before(now.Add(2 * leaseTime)); at = at.Add(reportEvery) {
			r.report(test.from, needs(test.needs), at)
			r.expire(at)
		}
		if kept := len(r.copies()) == 1; kept != test.kept {
			t.Errorf("%s: the copy is kept: %v, want %v", test.name, kept, test.kept)
		}
	}
}

// There are so many copies and no more; one that exists is renewed all the same.
func TestCopiesAreBounded(t *testing.T) {
	r, now := newReceivers(), time.Now()
	at := func(n int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), 5000)
	}
	for n := range maxCopies {
		if _, err := r.subscribe(at(n), uint32(n), now); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.subscribe(at(maxCopies), 99, now); err == nil || !strings.Contains(err.Error(), fmt.Sprint(maxCopies)) {
		t.Errorf("one more: %v", err)
	}
	if fresh, err := r.subscribe(at(3), 3, now); fresh || err != nil {
		t.Errorf("renewing one: %v, %v", fresh, err)
	}
	for n := range 10 * maxReceivers {
		r.report(at(n), control.Receiver{SSRC: uint32(n)}, now)
	}
	if n := r.count(); n > maxReceivers {
		t.Errorf("%d speakers are remembered", n)
	}
}

// A report that was on its way when the copy was asked for does not end it.
func TestOvertakenReport(t *testing.T) {
	r, now := newReceivers(), time.Now()
	to := netip.MustParseAddrPort("10.0.0.2:40000")
	if _, err := r.subscribe(to, 7, now); err != nil {
		t.Fatal(err)
	}
	r.report(to, control.Receiver{SSRC: 7}, now.Add(overtaken/2))
	if len(r.copies()) != 1 {
		t.Error("it does")
	}
	r.report(to, control.Receiver{SSRC: 7}, now.Add(overtaken))
	if len(r.copies()) != 0 {
		t.Error("a later one does not")
	}
}

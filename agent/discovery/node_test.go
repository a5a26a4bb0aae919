package discovery

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/internal/netlab"
)

func TestFoundOverABridgeAndWithdrawn(t *testing.T) {
	l := newLan(t, 2)
	a := l.open(0, Config{Hostname: "Pi.example"})
	announce(t, a, speaker("Kitchen"))
	b := l.open(1, Config{})
	for _, typ := range []string{"_ostp._udp", "_soluna._udp", "_soluna._tcp"} {
		browser := browse(t, b, typ)
		e := eventually(t, "found", browser, has("Kitchen"))[0]
		want := []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:5004"), netip.AddrPortFrom(l.links[0].Addr6().WithZone("eth0"), 5004)}
		if !slices.Equal(e.Addrs, want) {
			t.Errorf("addresses %v, want %v", e.Addrs, want)
		}
		if e.Text["room"] != `Küche "1\2"` || e.Text["role"] != "speaker" || len(e.Text) != 3 {
			t.Errorf("text %v", e.Text)
		}
		if e.Type != typ || e.Interface != "eth0" || e.Index != l.links[1].Index || !strings.HasPrefix(e.Host, "Pi-") {
			t.Errorf("entry %+v", e)
		}
		if ev := <-browser.Events(); ev.Kind != Added || ev.Entry.Instance != "Kitchen" {
			t.Errorf("first event %+v", ev)
		}
	}
	browser := browse(t, b, "_ostp._udp")
	eventually(t, "found again", browser, has("Kitchen"))
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	eventually(t, "removed by goodbye", browser, has())
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	for range browser.Events() {
	} // ends: Close closes it
}

func TestUpdateIsSeen(t *testing.T) {
	l := newLan(t, 2)
	a := announce(t, l.open(0, Config{}), speaker("Kitchen"))
	b := browse(t, l.open(1, Config{}), "_ostp._udp")
	eventually(t, "found", b, has("Kitchen"))
	if err := a.Update(map[string]string{"title": "Bolero"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "new text", b, func(es []Entry) bool { return len(es) == 1 && es[0].Text["title"] == "Bolero" })
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "withdrawn", b, has())
}

func TestKilledAnnouncerExpires(t *testing.T) {
	l := newLan(t, 2)
	cmd := l.hosts[0].Command(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), "DISCOVERY_TEST_ANNOUNCE=Doomed")
	var out netlab.Transcript
	cmd.Stdout, cmd.Stderr = &out, &out
	p, err := l.hosts[0].Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	b := browse(t, l.open(1, Config{}), "_ostp._udp")
	eventually(t, "found "+out.String(), b, has("Doomed"))
	// Refreshed: it outlives several of its two-second lives.
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		select {
		case <-p.Done():
			t.Fatalf("the announcer ended: %s", out.String())
		default:
		}
	}
	eventually(t, "still found", b, has("Doomed"))
	p.Kill()
	eventually(t, "expired", b, has())
}

func TestTwoLinks(t *testing.T) {
	l := newLan(t, 2) // h0 and h1 on the first, h0 and h2 on the second
	second := l.newSwitch("second")
	l.connect(0, second, "192.168.7.1/24")
	h, err := l.lab.NewHost("h2")
	if err != nil {
		t.Fatal(err)
	}
	l.hosts = append(l.hosts, h)
	l.connect(2, second, "192.168.7.3/24")
	middle := l.open(0, Config{})
	announce(t, middle, speaker("Middle"))
	one, two := l.open(1, Config{}), l.open(2, Config{})
	announce(t, one, speaker("One"))
	announce(t, two, speaker("Two"))
	addr := func(es []Entry, name string) string {
		for _, e := range es {
			if e.Instance == name {
				return e.Addrs[0].String()
			}
		}
		return "not found"
	}
	for _, c := range []struct {
		n    *Node
		want string
	}{{one, "10.0.0.1:5004"}, {two, "192.168.7.1:5004"}} {
		es := eventually(t, "Middle found", browse(t, c.n, "_ostp._udp"), func(es []Entry) bool { return addr(es, "Middle") != "not found" })
		if got := addr(es, "Middle"); got != c.want {
			t.Errorf("Middle is at %s, want %s", got, c.want)
		}
		for _, e := range es {
			if e.Instance == "Middle" && len(e.Addrs) != 2 {
				t.Errorf("addresses of another link: %v", e.Addrs)
			}
		}
	}
	es := eventually(t, "both found from the middle", browse(t, middle, "_ostp._udp"), has("Middle", "One", "Two"))
	if a, b := addr(es, "One"), addr(es, "Two"); a != "10.0.0.2:5004" || b != "192.168.7.3:5004" {
		t.Errorf("One at %s, Two at %s", a, b)
	}
	if got := browse(t, one, "_ostp._udp"); slices.Contains(instances(eventually(t, "found", got, has("Middle", "One"))), "Two") {
		t.Error("a service leaked from one link to another")
	}
}

func TestIPv6OnlyLink(t *testing.T) {
	l := newLan(t, 0)
	for i := range 2 {
		h, err := l.lab.NewHost(fmt.Sprint("six", i))
		if err != nil {
			t.Fatal(err)
		}
		l.hosts = append(l.hosts, h)
		l.links = append(l.links, l.connect(i, l.sw, "", netlab.WithAddr6(netip.MustParsePrefix(fmt.Sprintf("fd00::%d/64", i+1)))))
	}
	announce(t, l.open(0, Config{}), speaker("Six"))
	es := eventually(t, "found", browse(t, l.open(1, Config{}), "_ostp._udp"), has("Six"))
	want := []netip.AddrPort{netip.MustParseAddrPort("[fd00::1]:5004"), netip.AddrPortFrom(l.links[0].Addr6().WithZone("eth0"), 5004)}
	if !slices.Equal(es[0].Addrs, want) {
		t.Errorf("addresses %v, want %v", es[0].Addrs, want)
	}
}

func TestTwoIPv6OnlyLinks(t *testing.T) {
	l := newLan(t, 0)
	for i := range 3 {
		h, err := l.lab.NewHost(fmt.Sprint("six", i))
		if err != nil {
			t.Fatal(err)
		}
		l.hosts = append(l.hosts, h)
	}
	second := l.newSwitch("second")
	here, there := l.connect(0, l.sw, ""), l.connect(0, second, "")
	l.connect(1, l.sw, "")
	l.connect(2, second, "")
	announce(t, l.open(0, Config{}), speaker("Middle"))
	for host, link := range map[int]*netlab.Link{1: here, 2: there} {
		es := eventually(t, "found over IPv6", browse(t, l.open(host, Config{}), "_ostp._udp"), has("Middle"))
		if want := link.Addr6().WithZone("eth0"); len(es[0].Addrs) != 1 || es[0].Addrs[0].Addr() != want {
			t.Errorf("addresses %v, want %v alone", es[0].Addrs, want)
		}
	}
}

func TestLinkComesAndGoes(t *testing.T) {
	for name, c := range map[string]struct{ off, on func(*netlab.Link) error }{
		"admin": {(*netlab.Link).Down, (*netlab.Link).Up}, "cable": {(*netlab.Link).Unplug, (*netlab.Link).Plug},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLan(t, 2)
			announce(t, l.open(0, Config{Life: 2 * time.Second}), speaker("Kitchen"))
			b := browse(t, l.open(1, Config{}), "_ostp._udp")
			eventually(t, "found", b, has("Kitchen"))
			if err := c.off(l.links[0]); err != nil {
				t.Fatal(err)
			}
			eventually(t, "expired", b, has())
			if err := c.on(l.links[0]); err != nil {
				t.Fatal(err)
			}
			eventually(t, "announced again", b, has("Kitchen"))
			if err := l.links[0].ChangeAddr(netip.MustParsePrefix("10.0.0.77/24")); err != nil {
				t.Fatal(err)
			}
			eventually(t, "new address alone", b, func(es []Entry) bool {
				return len(es) == 1 && es[0].Addrs[0] == netip.MustParseAddrPort("10.0.0.77:5004") && len(es[0].Addrs) == 2
			})
		})
	}
}

func TestBrowsersLinkComesBackAndNewLinkIsUsed(t *testing.T) {
	l := newLan(t, 2)
	announce(t, l.open(0, Config{}), speaker("Kitchen"))
	b := browse(t, l.open(1, Config{}), "_ostp._udp")
	eventually(t, "found", b, has("Kitchen"))
	if err := l.links[1].Down(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "removed after the grace", b, has())
	if err := l.links[1].Up(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "found again", b, has("Kitchen"))
	second := l.newSwitch("second")
	l.connect(0, second, "192.168.7.1/24")
	l.connect(1, second, "192.168.7.2/24")
	eventually(t, "found on the new link too", b, func(es []Entry) bool {
		return len(es) == 2 && es[1].Interface == "eth1" && es[1].Addrs[0].String() == "192.168.7.1:5004"
	})
}

func TestNameConflict(t *testing.T) {
	l := newLan(t, 3)
	var out logs
	first := announce(t, l.open(0, Config{}), speaker("Kitchen"))
	watch := browse(t, l.open(2, Config{}), "_ostp._udp", "_soluna._udp")
	eventually(t, "first found", watch, has("Kitchen"))
	second := announce(t, l.open(1, Config{Log: slog.New(slog.NewTextHandler(&out, nil))}), speaker("Kitchen"))
	es := eventually(t, "both names", watch, has("Kitchen", "Kitchen (2)"))
	if len(es) != 4 {
		es = eventually(t, "both names under both types", watch, func(es []Entry) bool { return len(es) == 4 })
	}
	if es[0].Addrs[0].Addr() != l.links[0].Addr() || es[3].Addrs[0].Addr() != l.links[1].Addr() {
		t.Errorf("the names are at the wrong hosts: %+v", es)
	}
	if first.Instance() != "Kitchen" || second.Instance() != "Kitchen (2)" {
		t.Errorf("names %q and %q", first.Instance(), second.Instance())
	}
	if !strings.Contains(out.String(), `new="Kitchen (2)"`) {
		t.Errorf("no clear line in the log: %s", out.String())
	}
}

func TestSimultaneousNames(t *testing.T) {
	l := newLan(t, 3)
	var as []*Announcement
	for i := range 3 {
		as = append(as, announce(t, l.open(i, Config{}), speaker("Kitchen")))
	}
	b := browse(t, l.open(0, Config{}), "_ostp._udp")
	eventually(t, "three names", b, has("Kitchen", "Kitchen (2)", "Kitchen (3)"))
	_ = as
}

func TestNoLinkAtStartIsLoopback(t *testing.T) {
	l := newLan(t, 0)
	h, err := l.lab.NewHost("lonely")
	if err != nil {
		t.Fatal(err)
	}
	l.hosts = append(l.hosts, h)
	announce(t, l.open(0, Config{}), speaker("Own"))
	b := browse(t, l.open(0, Config{}), "_ostp._udp")
	es := eventually(t, "found on loopback", b, has("Own"))
	if es[0].Interface != "lo" || es[0].Addrs[0].String() != "127.0.0.1:5004" {
		t.Errorf("entry %+v", es[0])
	}
	l.connect(0, l.sw, "10.0.0.1/24")
	eventually(t, "moved to the link that came", b, func(es []Entry) bool {
		return len(es) == 1 && es[0].Interface == "eth0" && es[0].Addrs[0].String() == "10.0.0.1:5004"
	})
}

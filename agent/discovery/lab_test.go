package discovery

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/internal/netlab"
)

// patience bounds every wait of a test; a busy machine needs some.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	if name := os.Getenv("DISCOVERY_TEST_ANNOUNCE"); name != "" {
		os.Exit(announceUntilKilled(name))
	}
	os.Exit(netlab.Main(m))
}

// announceUntilKilled is a speaker in a process of its own.
func announceUntilKilled(name string) int {
	n, err := Open(Config{Life: 2 * time.Second})
	if err == nil {
		_, err = n.Announce(speaker(name))
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	time.Sleep(time.Hour)
	return 0
}

func speaker(name string) Service {
	return Service{
		Instance: name, Type: "_ostp._udp", Aliases: []string{"_soluna._udp", "_soluna._tcp"}, Port: 5004,
		Text: map[string]string{"role": "speaker", "room": `Küche "1\2"`, "id": "abc"},
	}
}

// logs collects log lines.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// lan is hosts on one switch.
type lan struct {
	t     *testing.T
	lab   *netlab.Lab
	sw    *netlab.Switch
	hosts []*netlab.Host
	links []*netlab.Link
}

// newLan makes hosts 10.0.0.1 and on, without a default route. Each lan is a
// laboratory of its own, so that tests run beside each other.
func newLan(t *testing.T, hosts int) *lan {
	t.Helper()
	t.Parallel()
	l := &lan{t: t, lab: netlab.ForTest(t)}
	l.sw = l.newSwitch("lan")
	for i := range hosts {
		h, err := l.lab.NewHost(fmt.Sprintf("h%d", i))
		if err != nil {
			t.Fatal(err)
		}
		l.hosts = append(l.hosts, h)
		l.links = append(l.links, l.connect(i, l.sw, fmt.Sprintf("10.0.0.%d/24", i+1)))
	}
	return l
}

func (l *lan) newSwitch(name string) *netlab.Switch {
	l.t.Helper()
	sw, err := l.lab.NewSwitch(name)
	if err != nil {
		l.t.Fatal(err)
	}
	return sw
}

// connect joins a host to a switch; "" means no IPv4.
func (l *lan) connect(host int, sw *netlab.Switch, addr string, options ...netlab.Option) *netlab.Link {
	l.t.Helper()
	var p netip.Prefix
	if addr != "" {
		p = netip.MustParsePrefix(addr)
	}
	link, err := l.hosts[host].Connect(sw, p, options...)
	if err != nil {
		l.t.Fatal(err)
	}
	return link
}

// open opens a node on a host.
func (l *lan) open(host int, c Config) *Node {
	l.t.Helper()
	var n *Node
	if err := l.hosts[host].Do(func() (err error) { n, err = Open(c); return err }); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { n.Close() })
	return n
}

func announce(t *testing.T, n *Node, s Service) *Announcement {
	t.Helper()
	a, err := n.Announce(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func browse(t *testing.T, n *Node, types ...string) *Browser {
	t.Helper()
	b, err := n.Browse(types...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// eventually polls until ok, or fails with what the browsers know.
func eventually(t *testing.T, what string, b *Browser, ok func([]Entry) bool) []Entry {
	t.Helper()
	end := time.Now().Add(patience)
	for {
		got := b.Entries()
		if ok(got) {
			return got
		}
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v; known: %+v", what, patience, got)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// names returns the instances of entries, once each.
func instances(entries []Entry) []string {
	var out []string
	for _, e := range entries {
		out = append(out, e.Instance)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func has(names ...string) func([]Entry) bool {
	return func(es []Entry) bool { return slices.Equal(instances(es), names) }
}

// BenchmarkTimeToFind measures from Browse to the first Added event, with an
// announcer that has settled.
func BenchmarkTimeToFind(b *testing.B) {
	lab := netlab.ForTest(b)
	sw, err := lab.NewSwitch("lan")
	if err != nil {
		b.Fatal(err)
	}
	var nodes [2]*Node
	for i := range nodes {
		h, err := lab.NewHost(fmt.Sprint("h", i))
		if err == nil {
			_, err = h.Connect(sw, netip.MustParsePrefix(fmt.Sprintf("10.0.0.%d/24", i+1)))
		}
		if err == nil {
			err = h.Do(func() (err error) { nodes[i], err = Open(Config{}); return err })
		}
		if err != nil {
			b.Fatal(err)
		}
		defer nodes[i].Close()
	}
	if _, err := nodes[0].Announce(speaker("Kitchen")); err != nil {
		b.Fatal(err)
	}
	var took []float64
	time.Sleep(3 * time.Second) // probing, and the announcements
	for b.Loop() {
		time.Sleep(1100 * time.Millisecond) // past the second between answers
		start := time.Now()
		browser, err := nodes[1].Browse("_ostp._udp")
		if err != nil {
			b.Fatal(err)
		}
		<-browser.Events()
		took = append(took, float64(time.Since(start))/1e6)
		browser.Close()
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2], "ms-median")
	b.ReportMetric(took[len(took)-1], "ms-max")
	b.ReportMetric(0, "ns/op")
}

package hub

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/line"
)

// stage is a hub whose clock the test turns.
type stage struct {
	*Hub
	t     *testing.T
	ahead atomic.Int64 // ns
}

func newStage(t *testing.T, change func(*Settings)) *stage {
	t.Helper()
	s := &stage{t: t}
	began := time.Now()
	settings := Default()
	if change != nil {
		change(&settings)
	}
	var err error
	s.Hub, err = New(Config{
		Listen: netip.MustParseAddrPort("127.0.0.1:0"), Workers: 2, Settings: settings, Log: slog.New(slog.DiscardHandler),
		Now: func() int64 { return int64(time.Since(began)) + s.ahead.Load() },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// client is a member, or wants to be one.
type client struct {
	*net.UDPConn
	t     *testing.T
	stage *stage
	lines []line.Line
	media [][]byte
}

func (s *stage) client() *client {
	s.t.Helper()
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(s.LocalAddr()))
	if err != nil {
		s.t.Fatal(err)
	}
	_ = conn.SetReadBuffer(1 << 20)
	s.t.Cleanup(func() { _ = conn.Close() })
	return &client{UDPConn: conn, t: s.t, stage: s}
}

func (c *client) say(text string) {
	c.t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

// sync says a PING and collects all that comes before its answer. The address must
// have proved itself.
func (c *client) sync() {
	c.t.Helper()
	mark := fmt.Sprint("mark", time.Now().UnixNano())
	c.say("PING:" + mark)
	c.until(func(l line.Line) bool { return l == line.Pong{Text: mark} })
}

// until collects what comes until a line is that which is waited for.
func (c *client) until(is func(line.Line) bool) line.Line {
	c.t.Helper()
	b := make([]byte, 1<<16)
	for {
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, err := c.Read(b)
		if err != nil {
			c.t.Fatalf("waiting: %v; heard %v", err, c.lines)
		}
		if b[0]>>6 == 2 {
			c.media = append(c.media, bytes.Clone(b[:n]))
			continue
		}
		l, err := line.Parse(b[:n])
		if err != nil {
			c.t.Fatalf("%q: %v", b[:n], err)
		}
		if is(l) {
			return l
		}
		c.lines = append(c.lines, l)
	}
}

// wait waits for the next line of a type, and returns it.
func wait[L line.Line](c *client) L {
	c.t.Helper()
	for i, l := range c.lines {
		if found, ok := l.(L); ok {
			c.lines = append(c.lines[:i:i], c.lines[i+1:]...)
			return found
		}
	}
	return c.until(func(l line.Line) bool { _, ok := l.(L); return ok }).(L)
}

// prove echoes the challenge that a long enough line is answered with.
func (c *client) prove() *client {
	c.t.Helper()
	c.say("JOIN:x::" + strings.Repeat("n", 30))
	b, _ := line.Append(nil, wait[line.Challenge](c))
	c.say(string(b))
	return c
}

// join joins with a proved address, and returns the role.
func (c *client) join(rest string) line.Role {
	c.t.Helper()
	c.prove()
	c.say("JOIN:" + rest)
	role := wait[line.RoleIs](c).Role
	c.sync()
	return role
}

// heard returns and forgets what was heard.
func (c *client) heard() (lines []line.Line, media [][]byte) {
	c.t.Helper()
	c.sync()
	lines, media = c.lines, c.media
	c.lines, c.media = nil, nil
	return lines, media
}

// packet is a media packet.
func packet(ssrc, sequence uint32, pt ostp.PayloadType, payload string) []byte {
	p := ostp.Packet{StreamID: 1, Payload: []byte(payload)}
	p.PayloadType, p.SSRC = uint8(pt), ssrc
	p.SetSequence(sequence)
	b, _ := ostp.AppendPacket(nil, &p)
	return b
}

func TestJoinIsAnswered(t *testing.T) {
	s := newStage(t, nil)
	c := s.client().prove()
	c.say("JOIN:house/1:::dev")
	c.sync()
	session := wait[line.Session](c)
	want := []line.Line{
		line.OK{Text: "joined"}, line.RoleIs{Role: line.Owner}, line.YourAddr{Addr: c.LocalAddr().(*net.UDPAddr).AddrPort()},
		line.Mode{}, line.ID{ID: session.ID[:8]},
	}
	if !reflect.DeepEqual(c.lines, want) {
		t.Errorf("answered %v, want %v", c.lines, want)
	}
	other := s.client()
	if role := other.join("house/1"); role != line.Listener {
		t.Errorf("the second is %s", role)
	}
	lines, _ := other.heard()
	for _, want := range []line.Line{line.Peer{Addr: c.LocalAddr().(*net.UDPAddr).AddrPort()}, line.Member{ID: session.ID[:8], Role: line.Owner}} {
		if !contains(lines, want) {
			t.Errorf("the second was told %v, without %v", lines, want)
		}
	}
	if peer := wait[line.Peer](c); peer.Addr != other.LocalAddr().(*net.UDPAddr).AddrPort() {
		t.Errorf("the first was told of %v", peer)
	}
}

func contains(lines []line.Line, want line.Line) bool {
	for _, l := range lines {
		if l == want {
			return true
		}
	}
	return false
}

// TestMediaGoesToAllOthers: byte for byte, whatever the payload type; FEC to those
// who asked for it; nothing with a wrong CRC.
func TestMediaGoesToAllOthers(t *testing.T) {
	s := newStage(t, nil)
	source, plain, fec := s.client(), s.client(), s.client()
	source.join("a:::src:send")
	plain.join("a")
	fec.join("a:::dev:fec")
	stranger := s.client()
	stranger.join("b")
	bad := packet(7, 9, ostp.Opus, "broken")
	bad[25] ^= 1
	sent := [][]byte{packet(7, 1, ostp.Opus, "one"), packet(7, 2, 55, "unknown"), packet(7, 0x10003, ostp.PCM16, strings.Repeat("x", 1100))}
	for _, b := range append(sent, packet(7, 1, ostp.FEC, "parity"), bad) {
		source.say(string(b))
	}
	source.sync()
	if _, media := plain.heard(); !reflect.DeepEqual(media, sent) {
		t.Errorf("a listener heard %d packets, want %d", len(media), len(sent))
	}
	if _, media := fec.heard(); len(media) != len(sent)+1 {
		t.Errorf("a listener with FEC heard %d packets, want %d", len(media), len(sent)+1)
	}
	for _, c := range []*client{source, stranger} {
		if _, media := c.heard(); len(media) != 0 {
			t.Errorf("%v heard %d packets", c.LocalAddr(), len(media))
		}
	}
}

// TestNothingWithoutProof: an address that has not proved itself gets a challenge at
// most, and never more bytes than it sent.
func TestNothingWithoutProof(t *testing.T) {
	s := newStage(t, nil)
	c := s.client()
	in, out := 0, 0
	for _, text := range []string{"HELLO", "JOIN:a", "JOIN:house:::device-0123", "PING", "PING:0123456789012345678901234", "LEAVE", "noise", "CHALLENGE:AAAAAAAAAA\n",
		string(packet(1, 1, ostp.Opus, "x")), "\x7d" + strings.Repeat("x", 24), "ROUTE:1.2.3.4:5:p2p", "JOIN:" + strings.Repeat("y", 600)} {
		c.say(text)
		in += len(text)
	}
	b := make([]byte, 2000)
	for {
		_ = c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		n, err := c.Read(b)
		if err != nil {
			break
		}
		if out += n; !strings.HasPrefix(string(b[:n]), "CHALLENGE:") {
			t.Errorf("answered %q", b[:n])
		}
	}
	if out == 0 || out > in {
		t.Errorf("%d bytes out for %d in", out, in)
	}
	t.Logf("%d bytes out for %d in: %.3f", out, in, float64(out)/float64(in))
}

func TestPrivate(t *testing.T) {
	s := newStage(t, func(s *Settings) {
		s.Channels = map[string]Access{"club": {Password: "door", SendPassword: "desk"}, "radio": {SendPassword: "studio"}}
	})
	for _, c := range []struct {
		join string
		want line.Line
	}{
		{"club:wrong", line.Err{Word: line.WrongPassword}},
		{"club", line.Err{Word: line.WrongPassword}},
		{"club:door", line.RoleIs{Role: line.Listener}},
		{"club:desk", line.RoleIs{Role: line.DJ}},
		{"radio", line.RoleIs{Role: line.Listener}},
		{"radio:studio", line.RoleIs{Role: line.DJ}},
		{"radio:wrong", line.Err{Word: line.WrongPassword}},
		{"mine:secret", line.RoleIs{Role: line.Owner}},
		{"mine:other", line.Err{Word: line.WrongPassword}},
		{"bad..name", line.Err{Word: line.InvalidName}},
	} {
		one := s.client().prove()
		one.say("JOIN:" + c.join)
		one.sync()
		if !contains(one.lines, c.want) {
			t.Errorf("%s: %v, want %v", c.join, one.lines, c.want)
		}
		if _, refused := c.want.(line.Err); refused && len(one.lines) != 1 {
			t.Errorf("%s: a stranger was told %v", c.join, one.lines)
		}
	}
}

// TestTwoSources: the first plays on undisturbed, the second is told; after two
// seconds of silence a DJ may have the floor.
func TestTwoSources(t *testing.T) {
	s := newStage(t, func(s *Settings) { s.Channels = map[string]Access{"club": {SendPassword: "desk"}} })
	a, b, listener := s.client(), s.client(), s.client()
	a.join("club:desk")
	b.join("club:desk")
	listener.join("club")
	for i := range uint32(20) {
		a.say(string(packet(1, i, ostp.Opus, "first")))
		a.sync()
		b.say(string(packet(2, i, ostp.Opus, "second")))
		b.sync()
	}
	_, media := listener.heard()
	for _, m := range media {
		if !bytes.Contains(m, []byte("first")) {
			t.Fatal("the second source is heard")
		}
	}
	if len(media) != 20 || !contains(b.lines, line.Err{Word: line.NoPermission}) {
		t.Errorf("%d packets heard; the second source was told %v", len(media), b.lines)
	}
	s.ahead.Add(1e9)
	time.Sleep(2 * houseEvery) // or both were one jump
	s.ahead.Add(1.1e9)
	b.say(string(packet(2, 99, ostp.Opus, "second")))
	b.sync()
	if _, media := listener.heard(); len(media) != 1 {
		t.Errorf("after silence %d packets of the other are heard, want 1", len(media))
	}
	listener.say(string(packet(3, 1, ostp.Opus, "listener")))
	if word := wait[line.Err](listener).Word; word != line.NoPermission {
		t.Errorf("a listener that sends is told %s", word)
	}
}

// TestOwnerYields: a public channel's owner who never sent yields, and one that
// restarts has its role back at once.
func TestOwnerYields(t *testing.T) {
	s := newStage(t, nil)
	first, second := s.client(), s.client()
	if first.join("a:::one") != line.Owner || second.join("a:::two") != line.Listener {
		t.Fatal("roles at the beginning")
	}
	second.say(string(packet(1, 1, ostp.Opus, "x")))
	if wait[line.RoleIs](second).Role != line.Owner || wait[line.RoleIs](first).Role != line.Listener {
		t.Error("the first who sends is not the owner")
	}
	again := s.client() // the second, restarted
	if role := again.join("a:::two"); role != line.Owner {
		t.Errorf("after a restart it is %s", role)
	}
	again.say(string(packet(5, 1, ostp.Opus, "new ssrc")))
	again.sync()
	if _, media := first.heard(); len(media) != 2 {
		t.Errorf("%d packets heard, want 2", len(media))
	}
	first.say(string(packet(9, 1, ostp.Opus, "usurper")))
	if word := wait[line.Err](first).Word; word != line.NoPermission {
		t.Errorf("the one who yielded is told %s", word)
	}
}

// TestNACK: answered byte-identical from the ring; what it lacks the source is asked
// for, now and then; who asks for too much gets less.
func TestNACK(t *testing.T) {
	s := newStage(t, nil)
	source, listener := s.client(), s.client()
	source.join("a:::src")
	listener.join("a")
	sent := map[uint16][]byte{}
	for i := range uint32(50) {
		if i == 20 || i == 21 {
			continue
		}
		b := packet(7, 0xFFF0+i, ostp.Opus, fmt.Sprint("packet ", i))
		sent[uint16(0xFFF0+i)] = b
		source.say(string(b))
	}
	source.sync()
	listener.heard()
	ask := func(missing ...uint16) {
		payload, err := ostp.AppendNACK(nil, missing)
		if err != nil {
			t.Fatal(err)
		}
		listener.say(string(packet(7, 0, ostp.NACK, string(payload))))
		listener.sync()
	}
	ask(0xFFF1, 3, 4, 5, 0x9000)
	if _, media := listener.heard(); !reflect.DeepEqual(media, [][]byte{sent[0xFFF1], sent[3]}) {
		t.Errorf("resent %d packets, want 2 as they were", len(media))
	}
	for range 2 { // it, or its answer, may have got lost
		s.ahead.Add(200e6)
		ask(4, 5)
		_, media := source.heard()
		var p ostp.Packet
		if len(media) == 0 || ostp.ParsePacket(&p, media[0]) != nil || p.SSRC != 7 || !bytes.Equal(p.Payload, []byte{0, 4, 0, 5}) {
			t.Errorf("the source was asked %x", media)
		}
	}
	r := &ring{}
	if !r.ask(9, 1000e6) || r.ask(9, 1050e6) || !r.ask(9, 1100e6) || !r.ask(9+ringSlots, 1101e6) {
		t.Error("a source is to be asked for a packet at most every 100 ms")
	}
	for range 50 {
		ask(0xFFF0, 0xFFF1, 0xFFF2, 0xFFF3, 0xFFF4, 0xFFF5, 0xFFF6, 0xFFF7, 0xFFF8, 0xFFF9)
	}
	if _, media := listener.heard(); len(media) > 400 || len(media) < 100 {
		t.Errorf("asked for 500 packets at once, got %d: want the burst and little more", len(media))
	}
}

// TestExpiry: a member is gone 15 s after its last packet; a jump of the clock ends
// nobody.
func TestExpiry(t *testing.T) {
	s := newStage(t, nil)
	quiet, talking := s.client(), s.client()
	quiet.join("a:::q")
	talking.join("a")
	time.Sleep(2 * houseEvery)
	s.ahead.Add(3600e9)
	time.Sleep(6 * houseEvery)
	if _, n := s.Size(); n != 2 {
		t.Fatalf("%d members after a jump of the clock, want 2", n)
	}
	for range 12 { // small steps are time
		s.ahead.Add(1.6e9)
		time.Sleep(houseEvery + 50*time.Millisecond)
		talking.say("HELLO")
	}
	time.Sleep(6 * houseEvery)
	if _, n := s.Size(); n != 1 {
		t.Errorf("%d members after 19 s of silence, want 1", n)
	}
	if wait[line.Gone](talking).ID == "" {
		t.Error("nobody was told of the owner's end")
	}
}

func TestSignalAndDescription(t *testing.T) {
	s := newStage(t, nil)
	a, b := s.client(), s.client()
	a.join("a/b:::a")
	session := wait[line.Session](a).ID
	b.join("a/b")
	own, source := wait[line.ID](b).ID, wait[line.Member](b).ID
	b.say("SIGNAL:" + source + ":b2ZmZXI")
	if got := wait[line.Signal](a); got != (line.Signal{ID: own, Payload: "b2ZmZXI"}) {
		t.Errorf("got %v", got)
	}
	if _, err := s.Describe("a/b", session[:31]+"x", []byte("v=0")); err == nil {
		t.Error("a wrong session describes the stream")
	}
	etag, err := s.Describe("a/b", session, []byte("v=0"))
	if err != nil {
		t.Fatal(err)
	}
	if got := wait[line.Description](b).ETag; got != etag {
		t.Errorf("told of %s, want %s", got, etag)
	}
	if text, _, err := s.Description("a/b", ""); err != nil || string(text) != "v=0" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestAdmitUnproven: an SDK that cannot echo a challenge is served, as long as it
// speaks now and then; one that echoes is served like anybody.
func TestAdmitUnproven(t *testing.T) {
	s := newStage(t, func(s *Settings) { s.AdmitUnproven = true })
	old, able, source := s.client(), s.client(), s.client()
	for _, c := range []*client{source, old, able} {
		for range 3 {
			c.say("HELLO")
		}
		c.say("JOIN:a::the name is long enough")
		c.sync()
	}
	if len(old.lines) < 5 || !contains(old.lines, line.OK{Text: "joined"}) {
		t.Fatalf("told %v", old.lines)
	}
	for _, c := range []*client{able, source} {
		b, _ := line.Append(nil, wait[line.Challenge](c))
		c.say(string(b))
		c.sync()
	}
	sequence, payload := uint32(0), strings.Repeat("x", 1000)
	play := func() {
		for range 100 {
			sequence++
			source.say(string(packet(7, sequence, ostp.Opus, payload)))
		}
		source.sync()
	}
	for range 3 {
		play()
		able.sync()
	}
	old.say("HELLO") // or its own PING's answer is beyond its budget
	if _, media := old.heard(); len(media) > 130 || len(media) < 100 {
		t.Errorf("an old SDK that says nothing heard %d packets of 1 kB", len(media))
	}
	if _, media := able.heard(); len(media) != 300 {
		t.Errorf("who echoed heard %d of 300", len(media))
	}
	play()
	if _, media := old.heard(); len(media) != 100 {
		t.Errorf("after speaking it heard %d of 100", len(media))
	}
}

// TestRTCP: the source's reports go to all, a listener's to the source.
func TestRTCP(t *testing.T) {
	s := newStage(t, nil)
	source, listener, other := s.client(), s.client(), s.client()
	source.join("a:::src")
	listener.join("a")
	other.join("a")
	source.say(string(packet(7, 1, ostp.Opus, "x")))
	source.sync()
	sender, receiver := "\x80\xC8\x00\x01abcd", "\x80\xC9\x00\x01efgh\x80\xCA\x00\x00"
	source.say(sender)
	source.sync()
	listener.say(receiver)
	listener.say(receiver + "x") // its lengths do not add up
	listener.sync()
	for c, want := range map[*client]string{source: receiver, listener: sender, other: sender} {
		_, media := c.heard()
		if len(media) == 0 || string(media[len(media)-1]) != want || c == source && len(media) != 1 {
			t.Errorf("heard %q, want %q", media, want)
		}
	}
}

// TestProofAgain: who does not echo the challenge that comes every five minutes is no
// member any more, however many packets bear its address.
func TestProofAgain(t *testing.T) {
	s := newStage(t, nil)
	willing, silent := s.client(), s.client()
	willing.join("a")
	silent.join("a")
	for range 240 { // 312 s in steps that are no jumps
		s.ahead.Add(1.3e9)
		s.clock.follow()
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		for _, c := range []*client{willing, silent} {
			c.say("HELLO")
		}
		willing.sync()
		for _, l := range willing.lines {
			if again, ok := l.(line.Challenge); ok {
				b, _ := line.Append(nil, again)
				willing.say(string(b))
			}
		}
		willing.lines = nil
		if _, n := s.Size(); n == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("who proves nothing is still a member")
		}
		s.ahead.Add(1e9)
		time.Sleep(houseEvery)
	}
	willing.sync()
	silent.say("PING:0123456789012345678901234567890")
	wait[line.Challenge](silent)
}

// TestForwardDoesNotAllocate: the whole of what is done for a packet.
func TestForwardDoesNotAllocate(t *testing.T) {
	s := newStage(t, nil)
	source := s.client()
	source.join("a:::s")
	for range 20 {
		s.client().join("a:::x:fec")
	}
	m := s.members.get(source.LocalAddr().(*net.UDPAddr).AddrPort())
	w := newWorker(s.Hub, s.ports[0])
	name := *m.name
	var packets [][]byte
	for i := range uint32(2*ringSlots + 200) {
		packets = append(packets, packet(7, i, ostp.Opus, strings.Repeat("x", 300)))
	}
	now, i := s.clock.now(), 0
	step := func() {
		now += 20e6
		w.datagram(packets[i], &name, now)
		i++
	}
	for range ringSlots {
		step()
	}
	if n := testing.AllocsPerRun(500, step); n != 0 {
		t.Errorf("%v allocations per packet, want 0", n)
	}
	if sent := w.counts.PacketsOut.Load(); sent < 20*uint64(i)*9/10 {
		t.Errorf("sent %d copies of %d packets", sent, i)
	}
}

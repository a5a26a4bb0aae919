package hub

import (
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/srtp/v3"
	"github.com/pion/transport/v5/packetio"

	"github.com/tutti-audio/tutti/internal/selfsigned"
	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/line"
)

// newSealedStage is a stage with a certificate.
func newSealedStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t}
	self, err := selfsigned.New(time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	s.Hub, err = New(Config{
		Listen: netip.MustParseAddrPort("127.0.0.1:0"), Workers: 2, Settings: Default(), Log: slog.New(slog.DiscardHandler),
		Certificate: func() (*tls.Certificate, error) { return &self.TLS, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// sealedClient speaks DTLS and SRTP on one socket.
type sealedClient struct {
	*net.UDPConn
	t       *testing.T
	records atomic.Pointer[packetio.Buffer] // DTLS
	raw     chan []byte                     // SRTP as it came
	dtls    *dtls.Conn
	in, out *srtp.Context
	deaf    atomic.Bool // it reads no media
}

func (s *stage) sealed(profiles ...dtls.SRTPProtectionProfile) *sealedClient {
	s.t.Helper()
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(s.LocalAddr()))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	c := &sealedClient{UDPConn: conn, t: s.t}
	c.shake(profiles...)
	return c
}

// shake does a handshake, the first or another.
func (c *sealedClient) shake(profiles ...dtls.SRTPProtectionProfile) {
	c.t.Helper()
	if len(profiles) == 0 {
		profiles = []dtls.SRTPProtectionProfile{dtls.SRTP_AES128_CM_HMAC_SHA1_80, dtls.SRTP_AEAD_AES_128_GCM}
	}
	records := packetio.NewBuffer()
	if c.records.Swap(records) == nil {
		c.raw = make(chan []byte, 1000)
		go c.read()
	}
	var err error
	c.dtls, err = dtls.ClientWithOptions(&recordConn{c, records}, c.RemoteAddr(), dtls.WithInsecureSkipVerify(true), dtls.WithSRTPProtectionProfiles(profiles...),
		dtls.WithExtendedMasterSecret(dtls.RequireExtendedMasterSecret))
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	if err := c.dtls.HandshakeContext(ctx); err != nil {
		c.t.Fatal(err)
	}
	state, _ := c.dtls.ConnectionState()
	profile, _ := c.dtls.SelectedSRTPProtectionProfile()
	keys := srtp.Config{Profile: srtp.ProtectionProfile(profile)}
	if err := keys.ExtractSessionKeysFromDTLS(&state, true); err != nil {
		c.t.Fatal(err)
	}
	c.out, _ = srtp.CreateContext(keys.Keys.LocalMasterKey, keys.Keys.LocalMasterSalt, keys.Profile)
	c.in, _ = srtp.CreateContext(keys.Keys.RemoteMasterKey, keys.Keys.RemoteMasterSalt, keys.Profile)
}

func (c *sealedClient) read() {
	b := make([]byte, 1<<16)
	for {
		n, err := c.Read(b)
		if err != nil {
			return
		}
		if b[0]>>6 == 2 && c.deaf.Load() {
			continue
		}
		if b[0]>>6 == 2 {
			c.raw <- bytes.Clone(b[:n])
		} else {
			_, _ = c.records.Load().Write(b[:n], nil)
		}
	}
}

// recordConn is the DTLS half of the socket.
type recordConn struct {
	c       *sealedClient
	records *packetio.Buffer
}

func (r *recordConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, _, err := r.records.Read(b, nil)
	return n, r.c.RemoteAddr(), err
}
func (r *recordConn) WriteTo(b []byte, _ net.Addr) (int, error) { return r.c.Write(b) }
func (r *recordConn) Close() error                              { return r.records.Close() }
func (r *recordConn) LocalAddr() net.Addr                       { return r.c.LocalAddr() }
func (r *recordConn) SetDeadline(t time.Time) error             { return r.records.SetReadDeadline(t) }
func (r *recordConn) SetReadDeadline(t time.Time) error         { return r.records.SetReadDeadline(t) }
func (r *recordConn) SetWriteDeadline(time.Time) error          { return nil }

// say sends a line and collects lines until one begins so.
func (c *sealedClient) say(text, until string) string {
	c.t.Helper()
	if _, err := c.dtls.Write([]byte(text)); err != nil {
		c.t.Fatal(err)
	}
	b := make([]byte, 2000)
	for {
		_ = c.dtls.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, err := c.dtls.Read(b)
		if err != nil {
			c.t.Fatalf("waiting for %s: %v", until, err)
		}
		if strings.HasPrefix(string(b[:n]), until) {
			return strings.TrimSpace(string(b[:n]))
		}
	}
}

func (c *sealedClient) play(packet []byte) []byte {
	c.t.Helper()
	b, err := c.out.EncryptRTP(nil, packet, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.Write(b); err != nil {
		c.t.Fatal(err)
	}
	return b
}

// next is the next media packet: as it came, and unprotected.
func (c *sealedClient) next() (raw, clear []byte) {
	c.t.Helper()
	select {
	case raw = <-c.raw:
	case <-time.After(20 * time.Second):
		c.t.Fatal("no media")
	}
	clear, err := c.in.DecryptRTP(nil, raw, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return raw, clear
}

// TestSealed: media is protected both ways, and arrives as it was sent, by either
// profile.
func TestSealed(t *testing.T) {
	s := newSealedStage(t)
	source, gcm, hmac, plain := s.sealed(), s.sealed(), s.sealed(dtls.SRTP_AES128_CM_HMAC_SHA1_80), s.client()
	if p, _ := gcm.dtls.SelectedSRTPProtectionProfile(); p != dtls.SRTP_AEAD_AES_128_GCM {
		t.Errorf("profile %v was chosen before GCM", p)
	}
	if role := source.say("JOIN:a:::source:send", "ROLE:"); role != "ROLE:owner" {
		t.Error(role)
	}
	gcm.say("JOIN:a", "ID:")
	hmac.say("JOIN:a", "ID:")
	plain.join("a")
	var sent [][]byte
	for i := range uint32(5) {
		b := packet(7, 0xFFFE+i, ostp.Opus, "secret sound")
		source.play(b)
		sent = append(sent, b)
		for _, c := range []*sealedClient{gcm, hmac} {
			raw, clear := c.next()
			if !bytes.Equal(clear, b) || bytes.Contains(raw, []byte("secret")) {
				t.Fatalf("packet %d: %q came as %q", i, clear, raw)
			}
		}
	}
	if _, media := plain.heard(); !slices.EqualFunc(media, sent, bytes.Equal) {
		t.Errorf("a plain member heard %d packets", len(media))
	}
	missing, _ := ostp.AppendNACK(nil, []uint16{0xFFFF, 1})
	gcm.play(packet(7, 1, ostp.NACK, string(missing)))
	for _, want := range [][]byte{sent[1], sent[3]} {
		if _, clear := gcm.next(); !bytes.Equal(clear, want) {
			t.Errorf("resent %q", clear)
		}
	}
}

// TestSealedForgery: what is not protected, or comes twice, is nobody's.
func TestSealedForgery(t *testing.T) {
	s := newSealedStage(t)
	source, listener := s.sealed(), s.sealed()
	source.say("JOIN:a:::source:send", "ID:")
	listener.say("JOIN:a", "ID:")
	raw := source.play(packet(7, 1, ostp.Opus, "one"))
	listener.next()
	_, _ = source.Write(raw)                                     // again
	_, _ = source.Write(packet(7, 2, ostp.Opus, "in the clear")) // as somebody on the way could
	_, _ = source.Write([]byte("LEAVE"))
	source.play(packet(7, 3, ostp.Opus, "three"))
	if _, clear := listener.next(); !bytes.Contains(clear, []byte("three")) {
		t.Errorf("heard %q", clear)
	}
	if n := count(s.Hub, "forged_total"); n != 2 {
		t.Errorf("%d forged packets counted, want 2", n)
	}
	if got := source.say("\x7d"+strings.Repeat("\x00", 24), "\x7d"); len(got) < 20 {
		t.Errorf("the clock probe is answered %q", got)
	}
	if got := source.say("PING:x", "PONG"); got != "PONG:x" {
		t.Errorf("after a forged LEAVE: %q", got)
	}
}

func count(h *Hub, name string) uint64 {
	for _, c := range h.Counts() {
		if c.Name == name {
			return c.Value
		}
	}
	return 0
}

// TestSealedRestart: a client that starts again on the same address is served again.
func TestSealedRestart(t *testing.T) {
	s := newSealedStage(t)
	c := s.sealed()
	c.say("JOIN:a:::device:send", "ID:")
	c.shake()
	if role := c.say("JOIN:a:::device:send", "ROLE:"); role != "ROLE:owner" {
		t.Error(role)
	}
}

// TestHelloFlood: forged ClientHellos take a bounded number of places, get no more
// bytes back than came, and do not keep an address out that has proved itself.
func TestHelloFlood(t *testing.T) {
	s := newSealedStage(t)
	hello := clientHello(t)
	in, out := 0, 0
	var conns []*net.UDPConn
	for range 300 {
		conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(s.LocalAddr()))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns = append(conns, conn)
		_, _ = conn.Write(hello)
		in += len(hello)
	}
	b := make([]byte, 5000)
	for _, conn := range conns {
		_ = conn.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
		if n, err := conn.Read(b); err == nil {
			out += n
		}
	}
	if refused := s.secure.Counts().Refused.Load(); refused < 200 || out > in || out == 0 {
		t.Errorf("%d of 300 refused, %d bytes out for %d in", refused, out, in)
	}
	proved := s.client().prove()
	c := &sealedClient{UDPConn: proved.UDPConn, t: t}
	_ = c.SetReadDeadline(time.Time{})
	c.shake()
	c.say("JOIN:a", "ID:")
}

// clientHello is the first datagram of a handshake.
func clientHello(t *testing.T) []byte {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	hello := make([]byte, 2000)
	go func() {
		c, err := dtls.ClientWithOptions(dtlsPipe{a}, a.RemoteAddr(), dtls.WithInsecureSkipVerify(true), dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM))
		if err == nil {
			_ = c.Handshake()
		}
	}()
	n, err := b.Read(hello)
	if err != nil {
		t.Fatal(err)
	}
	return hello[:n]
}

type dtlsPipe struct{ net.Conn }

func (p dtlsPipe) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := p.Read(b)
	return n, p.RemoteAddr(), err
}
func (p dtlsPipe) WriteTo(b []byte, _ net.Addr) (int, error) { return p.Write(b) }

// TestSealedForwardDoesNotAllocate is TestForwardDoesNotAllocate with SRTP.
func TestSealedForwardDoesNotAllocate(t *testing.T) {
	s := newSealedStage(t)
	source := s.client()
	source.join("a:::s")
	for range 5 {
		c := s.sealed()
		c.say("JOIN:a", "ID:")
		c.deaf.Store(true)
		defer c.dtls.Close()
	}
	m := s.members.get(source.LocalAddr().(*net.UDPAddr).AddrPort())
	w := newWorker(s.Hub, s.ports[0])
	var packets [][]byte
	for i := range uint32(2 * ringSlots) {
		packets = append(packets, packet(7, i, ostp.Opus, strings.Repeat("x", 300)))
	}
	now, i := s.clock.now(), 0
	step := func() {
		now += 20e6
		w.datagram(packets[i], m.name, now)
		i++
	}
	for range ringSlots {
		step()
	}
	if n := testing.AllocsPerRun(300, step); n != 0 {
		t.Errorf("%v allocations per packet, want 0", n)
	}
}

// TestInClearAgain: another program on the address of an association proves the
// address, joins in the clear, and is a member like any.
func TestInClearAgain(t *testing.T) {
	s := newSealedStage(t)
	before := s.sealed()
	before.say("JOIN:a:::device:send", "ID:")
	local := before.LocalAddr().(*net.UDPAddr)
	_ = before.Close()
	conn, err := net.DialUDP("udp", local, net.UDPAddrFromAddrPort(s.LocalAddr()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &client{UDPConn: conn, t: t, stage: s}
	if role := c.join("a:::device"); role != line.Owner {
		t.Errorf("it is %s", role)
	}
	if _, n := s.Size(); n != 1 {
		t.Errorf("%d members, want 1", n)
	}
}

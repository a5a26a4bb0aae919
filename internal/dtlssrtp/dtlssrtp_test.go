package dtlssrtp

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/tutti-audio/tutti/ostp"
)

// pair returns two sockets that are connected to each other.
func pair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	x, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	y, err := net.DialUDP("udp4", nil, x.LocalAddr().(*net.UDPAddr))
	if err != nil {
		t.Fatal(err)
	}
	from := y.LocalAddr().(*net.UDPAddr)
	x.Close()
	z, err := net.DialUDP("udp4", x.LocalAddr().(*net.UDPAddr), from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { y.Close(); z.Close() })
	return y, z
}

func identity(t *testing.T) *Identity {
	t.Helper()
	i, err := NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// agree has both sides agree on keys.
func agree(t *testing.T, a, b net.Conn, wrong bool) (client, server *Conn, errs [2]error) {
	t.Helper()
	ia, ib := identity(t), identity(t)
	expected := ib.Fingerprint()
	if wrong {
		expected = identity(t).Fingerprint()
	}
	var both sync.WaitGroup
	both.Go(func() { client, errs[0] = Handshake(context.Background(), a, ia, true, expected) })
	both.Go(func() { server, errs[1] = Handshake(context.Background(), b, ib, false, ia.Fingerprint()) })
	both.Wait()
	return client, server, errs
}

func packet(t *testing.T, sequence uint32, payload string) []byte {
	t.Helper()
	p := ostp.Packet{StreamID: 3, MediaTimestamp: sequence * 960, Payload: []byte(payload)}
	p.SSRC, p.PayloadType = 77, uint8(ostp.Opus)
	p.SetSequence(sequence)
	b, err := ostp.AppendPacket(nil, &p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Packets cross both ways as they were, nothing of the payload is in the clear, and a
// packet sent twice is taken once.
func TestBothWays(t *testing.T) {
	a, b := pair(t)
	client, server, errs := agree(t, a, b, false)
	if errs[0] != nil || errs[1] != nil {
		t.Fatal(errs)
	}
	defer client.Close()
	defer server.Close()
	if !strings.Contains(client.Profile(), "GCM") {
		t.Errorf("the cipher is %s", client.Profile())
	}
	for _, way := range [][2]*Conn{{client, server}, {server, client}} {
		for n := uint32(65530); n < 65545; n++ {
			want := packet(t, n, "the quick brown fox")
			if err := way[0].Write(want); err != nil {
				t.Fatal(err)
			}
			got, err := way[1].Read()
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("packet %d: %x, %v", n, got, err)
			}
			if bytes.Contains(way[1].secret, []byte("quick brown")) {
				t.Fatal("the payload crosses in the clear")
			}
		}
	}
	again := packet(t, 65544, "the quick brown fox")
	_ = client.Write(again)
	_ = client.Write(packet(t, 65545, "next"))
	if got, err := server.Read(); err != nil || !bytes.Contains(got, []byte("next")) {
		t.Errorf("after a packet that was sent twice comes %q, %v", got, err)
	}
}

// Another certificate than the announced one is refused.
func TestWrongFingerprint(t *testing.T) {
	a, b := pair(t)
	_, _, errs := agree(t, a, b, true)
	if !errors.Is(errs[0], ErrFingerprint) {
		t.Errorf("the client says %v", errs[0])
	}
}

package hub

import (
	"bytes"
	"math/rand/v2"
	"net"
	"slices"
	"testing"

	"github.com/tutti-audio/tutti/ostp"
)

// TestGarbageFlood: ten times as much garbage as media, from members and strangers,
// is passed on to nobody, and costs nobody a packet.
func TestGarbageFlood(t *testing.T) {
	s := newStage(t, nil)
	source, listener, rude := s.client(), s.client(), s.client()
	source.join("a:::source:send")
	listener.join("a")
	rude.join("a")
	stranger := s.client()
	random := rand.New(rand.NewPCG(1, 2))
	var sent [][]byte
	for i := range uint32(300) {
		b := packet(7, i, ostp.Opus, "sound")
		sent = append(sent, b)
		source.say(string(b))
		for k := range 10 {
			junk := make([]byte, 1+random.IntN(1400))
			for j := range junk {
				junk[j] = byte(random.Uint32())
			}
			switch k % 5 {
			case 0:
				junk = bytes.Clone(b)
				junk[random.IntN(len(junk))] ^= 1 << random.IntN(8) // nearly a packet
			case 1:
				junk[0] = 0x90
			case 2:
				junk = append([]byte("SIGNAL:"), junk[:min(len(junk), 900)]...)
			}
			if k%2 == 0 {
				rude.say(string(junk))
			} else {
				stranger.say(string(junk))
			}
		}
		if i%10 == 0 { // what is on its way fits the sockets
			source.sync()
			rude.sync()
			listener.sync()
		}
	}
	source.sync()
	rude.sync()
	if _, media := listener.heard(); !slices.EqualFunc(media, sent, bytes.Equal) {
		t.Errorf("heard %d packets, want %d", len(media), len(sent))
	}
	for _, name := range []string{"bad_crc_total", "foreign_total", "strangers_total"} {
		if count(s.Hub, name) == 0 {
			t.Errorf("nothing counted as %s", name)
		}
	}
	if m := s.members.get(stranger.LocalAddr().(*net.UDPAddr).AddrPort()); m != nil {
		t.Error("the stranger is a member")
	}
}

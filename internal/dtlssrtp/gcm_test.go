package dtlssrtp

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// keys are a master key and salt.
func keys(random *rand.Rand) (key, salt []byte) {
	all := make([]byte, 16+saltSize)
	for i := range all {
		all[i] = byte(random.Uint32())
	}
	return all[:16], all[16:]
}

// rtpPacket is one with everything that a header may have.
func rtpPacket(t testing.TB, random *rand.Rand, ssrc uint32, sequence uint16) []byte {
	p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 96, SSRC: ssrc, SequenceNumber: sequence, Timestamp: random.Uint32()}}
	for range random.IntN(3) {
		p.CSRC = append(p.CSRC, random.Uint32())
	}
	if random.IntN(2) == 0 {
		p.Extension, p.ExtensionProfile = true, 0x4F53
		_ = p.SetExtension(0, make([]byte, 8))
	}
	p.Payload = make([]byte, random.IntN(400))
	for i := range p.Payload {
		p.Payload[i] = byte(random.Uint32())
	}
	b, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What is sealed is byte for byte what pion/srtp makes of it: for several SSRCs, over
// wraps of the sequence, with packets again and out of order.
func TestGCMIsSRTP(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	key, salt := keys(random)
	var ours gcmSealer
	err := ours.init(key, salt)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := srtp.CreateContext(key, salt, srtp.ProtectionProfileAeadAes128Gcm)
	if err != nil {
		t.Fatal(err)
	}
	next := [3]uint16{3, 40000, 65500}
	for n := range 60000 {
		i := random.IntN(3)
		sequence := next[i] - uint16(random.IntN(2)*random.IntN(500))
		next[i] += uint16(random.IntN(50))
		b := rtpPacket(t, random, uint32(100+i), sequence)
		var h rtp.Header
		want, err := theirs.EncryptRTP(nil, b, &h)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ours.seal(make([]byte, 0, random.IntN(800)), b)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("packet %d, sequence %d of SSRC %d: %X (%v), want %X", n, sequence, 100+i, got, err, want)
		}
	}
	for n := range rtpHeader + 12 {
		if b, err := ours.seal(nil, bytes.Repeat([]byte{0x9F}, n)); err == nil {
			t.Errorf("%d bytes are sealed as %X", n, b)
		}
	}
}

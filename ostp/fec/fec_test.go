package fec

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/tutti-audio/tutti/ostp"
)

// stream makes packets of varying length.
type stream struct {
	random  *rand.Rand
	next    uint32
	media   uint32
	longest int // payload
}

func newStream(seed uint64, first uint32) *stream {
	return &stream{random: rand.New(rand.NewPCG(seed, 1)), next: first, longest: 400}
}

func (s *stream) packet() ostp.Packet {
	p := ostp.Packet{MediaTimestamp: s.media, Payload: make([]byte, s.random.IntN(s.longest+1))}
	for i := range p.Payload {
		p.Payload[i] = byte(s.random.Uint32())
	}
	p.SSRC, p.StreamID, p.PayloadType, p.Timestamp = 0xDEADBEEF, 7, uint8(ostp.Opus), 1000+s.media
	p.Marker = s.random.IntN(10) == 0
	p.SetSequence(s.next)
	s.next++
	s.media += 960 * (1 + s.random.Uint32N(2))
	return p
}

func equal(a, b ostp.Packet) bool {
	return a.Sequence() == b.Sequence() && a.MediaTimestamp == b.MediaTimestamp && a.Timestamp == b.Timestamp && a.SSRC == b.SSRC &&
		a.StreamID == b.StreamID && a.Marker == b.Marker && a.PayloadType == b.PayloadType && bytes.Equal(a.Payload, b.Payload)
}

// Of k+m packets any k give the block back, bit for bit, in any order, across a wrap
// of the sequence, over the wire; also where all payloads of a block are empty.
func TestAnyKGiveTheBlock(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 2))
	var d Decoder
	source := newStream(1, 0xFFFFFF00)
	for i := range 300 {
		source.longest = 400 * min(i%10, 1)
		k, m := 1+random.IntN(20), 1+random.IntN(12)
		var e Encoder
		if err := e.SetShape(k, m); err != nil {
			t.Fatal(err)
		}
		data, parity := encodeBlock(t, &e, source, k)
		if len(parity) != m {
			t.Fatalf("%d parity packets, want %d", len(parity), m)
		}
		all := append(append([]ostp.Packet(nil), data...), parity...)
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		got := map[uint32]ostp.Packet{}
		for _, p := range all[:k] {
			for _, r := range give(t, &d, overWire(t, p)) {
				got[r.Sequence()] = overWire(t, r)
			}
		}
		for _, p := range data {
			if r, ok := got[p.Sequence()]; !ok || !equal(r, p) {
				t.Fatalf("k %d, m %d: packet %d does not come back", k, m, p.Sequence())
			}
		}
	}
}

// encodeBlock encodes one block.
func encodeBlock(t *testing.T, e *Encoder, s *stream, k int) (data, parity []ostp.Packet) {
	t.Helper()
	for range k {
		p := s.packet()
		data = append(data, p)
		made, err := e.Add(&p)
		if err != nil {
			t.Fatal(err)
		}
		parity = append(parity, made...)
	}
	return data, parity
}

// overWire writes a packet and reads it again.
func overWire(t *testing.T, p ostp.Packet) ostp.Packet {
	t.Helper()
	b, err := ostp.AppendPacket(nil, &p)
	if err != nil {
		t.Fatal(err)
	}
	var q ostp.Packet
	if err := ostp.ParsePacket(&q, b); err != nil {
		t.Fatal(err)
	}
	return q
}

// give hands a packet to the decoder and returns it with what became known.
func give(t *testing.T, d *Decoder, p ostp.Packet) (known []ostp.Packet) {
	t.Helper()
	found, err := []ostp.Packet(nil), error(nil)
	if ostp.PayloadType(p.PayloadType) == ostp.FEC {
		found, err = d.AddParity(&p)
	} else {
		known = append(known, p)
		found = d.AddData(&p)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		f.Payload = bytes.Clone(f.Payload)
		known = append(known, f)
	}
	return known
}

// With fewer than k of them nothing is made up.
func TestTooFew(t *testing.T) {
	var e Encoder
	_ = e.SetShape(8, 3)
	data, parity := encodeBlock(t, &e, newStream(2, 10), 8)
	var d Decoder
	for _, p := range append(data[:4:4], parity...) {
		if found := give(t, &d, p); len(found) > 1 || len(found) == 1 && !equal(found[0], p) {
			t.Fatalf("%d packets come of 7 of 8", len(found))
		}
	}
	if n, bad := d.Recovered(); n != 0 || bad != 0 {
		t.Errorf("%d recovered, %d damaged", n, bad)
	}
}

// Whatever claims to be parity, nothing panics, memory is bounded, and data packets
// that arrived are not changed.
func FuzzParity(f *testing.F) {
	var e Encoder
	_ = e.SetShape(3, 2)
	s := newStream(3, 5)
	for range 3 {
		p := s.packet()
		made, _ := e.Add(&p)
		for _, m := range made {
			f.Add(uint32(5), m.Payload)
		}
	}
	f.Fuzz(func(t *testing.T, sequence uint32, payload []byte) {
		var d Decoder
		s := newStream(3, 5)
		for range 2 {
			p := s.packet()
			d.AddData(&p)
		}
		p := ostp.Packet{Payload: payload}
		p.SSRC, p.PayloadType = 0x21524110, uint8(ostp.FEC)
		p.SetSequence(sequence)
		found, err := d.AddParity(&p)
		if err == nil && len(found) > MaxData {
			t.Fatalf("%d packets", len(found))
		}
		for _, r := range found {
			if r.Sequence() == 5 || r.Sequence() == 6 || len(r.Payload) > MaxPayload {
				t.Fatalf("packet %d of %d bytes", r.Sequence(), len(r.Payload))
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	var e Encoder
	_ = e.SetShape(10, 4)
	s := newStream(1, 0)
	for b.Loop() {
		p := s.packet()
		if _, err := e.Add(&p); err != nil {
			b.Fatal(err)
		}
	}
}

package fec

import (
	"encoding/binary"

	"github.com/tutti-audio/tutti/ostp"
)

// Encoder makes parity. The zero value makes none until it is given a shape.
type Encoder struct {
	codes  codes
	k, m   int
	next   [2]int // shape from the next block on
	shards [][]byte
	count  int
	first  ostp.Packet
	parity []ostp.Packet
	made   uint32 // parity packets
}

// SetShape sets how many data packets a block has and how many of parity follow
// them; m = 0 ends it. It holds from the next block on.
func (e *Encoder) SetShape(k, m int) error {
	if m != 0 {
		if err := checkShape(k, m); err != nil {
			return err
		}
	}
	e.next = [2]int{k, m}
	return nil
}

// Add takes the stream's next data packet in. When it ends a block, the block's
// parity is returned; it is valid until the next call. A packet out of sequence or
// too long to be protected begins a block anew.
func (e *Encoder) Add(p *ostp.Packet) ([]ostp.Packet, error) {
	if e.count > 0 && p.Sequence() != e.first.Sequence()+uint32(e.count) {
		e.count = 0
	}
	if len(p.Payload) > MaxPayload {
		e.count = 0
		return nil, nil
	}
	if e.count == 0 {
		e.k, e.m = e.next[0], e.next[1]
		e.first = *p
	}
	if e.m == 0 {
		return nil, nil
	}
	for len(e.shards) < e.k+e.m {
		e.shards = append(e.shards, make([]byte, 0, prefixSize+MaxPayload))
	}
	e.shards[e.count] = appendShard(e.shards[e.count][:0], p)
	if e.count++; e.count < e.k {
		return nil, nil
	}
	e.count = 0
	return e.finish()
}

// finish computes the parity of a whole block.
func (e *Encoder) finish() ([]ostp.Packet, error) {
	code, err := e.codes.get(e.k, e.m)
	if err != nil {
		return nil, err
	}
	block := e.shards[:e.k+e.m]
	longest := 0
	for _, s := range block[:e.k] {
		longest = max(longest, len(s))
	}
	for i, s := range block {
		used := len(s)
		if i >= e.k {
			used = 0
		}
		block[i] = s[:longest]
		clear(block[i][used:])
	}
	if err := code.Encode(block); err != nil {
		return nil, err
	}
	e.parity = e.parity[:0]
	for i, s := range block[e.k:] {
		e.parity = append(e.parity, e.packet(i, s))
	}
	return e.parity, nil
}

func (e *Encoder) packet(index int, shard []byte) ostp.Packet {
	p := e.first
	p.Marker, p.PayloadType, p.Surplus = false, uint8(ostp.FEC), nil
	p.Payload = append([]byte{version, byte(e.k), byte(e.m), byte(index)}, 0, 0, 0, 0)
	binary.BigEndian.PutUint32(p.Payload[4:], e.first.Sequence())
	p.Payload = append(p.Payload, shard...)
	p.SSRC = ^e.first.SSRC
	p.SetSequence(e.made)
	e.made++
	return p
}

package fec

import (
	"github.com/tutti-audio/tutti/ostp"
)

const (
	history = 256 // data packets remembered
	blocks  = 16  // blocks whose parity is remembered
)

// Decoder gives lost packets back. The zero value is ready. It remembers the last
// 256 data packets and 16 blocks, at most 400 kB.
type Decoder struct {
	codes  codes
	data   [history]stored
	blocks [blocks]block
	next   int // block to be replaced
	shards [][]byte
	found  []ostp.Packet
	done   uint64
	bad    uint64
}

type stored struct {
	sequence uint32
	set      bool
	shard    []byte
}

// block is the parity that came of one.
type block struct {
	first  ostp.Packet
	k, m   int
	size   int // of a shard
	parity [][]byte
	have   int
	set    bool
}

// Recovered counts packets given back, and Damaged blocks that made no sense.
func (d *Decoder) Recovered() (packets, damaged uint64) { return d.done, d.bad }

// AddData takes a data packet in that arrived or was recovered otherwise, and
// returns those that are known because of it. They are valid until the next call.
func (d *Decoder) AddData(p *ostp.Packet) []ostp.Packet {
	if len(p.Payload) > MaxPayload || !d.keep(p) {
		return nil
	}
	d.found = d.found[:0]
	for i := range d.blocks {
		b := &d.blocks[i]
		if b.set && p.Sequence()-b.first.Sequence() < uint32(b.k) {
			d.solve(b)
		}
	}
	return d.found
}

// keep remembers a data packet, and reports whether it was not known.
func (d *Decoder) keep(p *ostp.Packet) bool {
	s := &d.data[p.Sequence()%history]
	if s.set && s.sequence == p.Sequence() {
		return false
	}
	s.sequence, s.set = p.Sequence(), true
	s.shard = appendShard(s.shard[:0], p)
	return true
}

// AddParity takes a parity packet in and returns the packets that are known because
// of it, without their CRC; they are valid until the next call.
func (d *Decoder) AddParity(p *ostp.Packet) ([]ostp.Packet, error) {
	h, err := ParseHeader(p.Payload)
	if err != nil {
		d.bad++
		return nil, err
	}
	b := d.blockOf(p, h)
	if b.k != h.K || b.m != h.M || b.size != len(p.Payload)-headerSize || b.first.SSRC != ^p.SSRC {
		d.bad++
		return nil, ErrFormat
	}
	if len(b.parity[h.Index]) == 0 {
		b.parity[h.Index] = append(b.parity[h.Index], p.Payload[headerSize:]...)
		b.have++
	}
	d.found = d.found[:0]
	d.solve(b)
	return d.found, nil
}

// blockOf returns the block that a parity packet is of, the oldest one's place if it
// is new.
func (d *Decoder) blockOf(p *ostp.Packet, h Header) *block {
	for i := range d.blocks {
		if b := &d.blocks[i]; b.set && b.first.Sequence() == h.First && b.first.SSRC == ^p.SSRC {
			return b
		}
	}
	b := &d.blocks[d.next]
	d.next = (d.next + 1) % blocks
	for len(b.parity) < h.M {
		b.parity = append(b.parity, nil)
	}
	for i := range b.parity {
		b.parity[i] = b.parity[i][:0]
	}
	b.first, b.k, b.m, b.size, b.have, b.set = *p, h.K, h.M, len(p.Payload)-headerSize, 0, true
	b.first.SSRC, b.first.Payload = ^p.SSRC, nil
	b.first.SetSequence(h.First)
	return b
}

// solve gives a block's missing packets back once there is enough of it.
func (d *Decoder) solve(b *block) {
	missing := 0
	for i := range b.k {
		if d.shardOf(b, i) == nil {
			missing++
		}
	}
	if missing == 0 {
		b.set = false // nothing is left to do
		return
	}
	if missing > b.have {
		return
	}
	b.set = false
	if !d.reconstruct(b) {
		d.bad++
		return
	}
	d.takeFound(b)
}

// shardOf returns data packet i of a block, or nil.
func (d *Decoder) shardOf(b *block, i int) []byte {
	sequence := b.first.Sequence() + uint32(i)
	s := &d.data[sequence%history]
	if !s.set || s.sequence != sequence || len(s.shard) > b.size {
		return nil
	}
	return s.shard
}

// reconstruct puts the block's shards together; those missing are made.
func (d *Decoder) reconstruct(b *block) bool {
	for len(d.shards) < b.k+b.m {
		d.shards = append(d.shards, nil)
	}
	shards := d.shards[:b.k+b.m]
	for i := range shards {
		shards[i] = shards[i][:0]
		from := []byte(nil)
		if i < b.k {
			from = d.shardOf(b, i)
		} else {
			from = b.parity[i-b.k]
		}
		if len(from) > 0 {
			shards[i] = append(shards[i], from...)
			for len(shards[i]) < b.size {
				shards[i] = append(shards[i], 0)
			}
		}
	}
	code, err := d.codes.get(b.k, b.m)
	return err == nil && code.ReconstructData(shards) == nil
}

// takeFound turns the shards that were made into packets.
func (d *Decoder) takeFound(b *block) {
	for i := range b.k {
		if d.shardOf(b, i) != nil {
			continue
		}
		p := b.first
		if parseShard(&p, d.shards[i]) != nil {
			d.bad++
			return
		}
		p.SetSequence(b.first.Sequence() + uint32(i))
		p.Timestamp = b.first.Timestamp + p.MediaTimestamp - b.first.MediaTimestamp
		d.found = append(d.found, p)
		d.keep(&p)
		d.done++
	}
}

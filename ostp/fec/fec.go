// Package fec recovers lost packets from parity (docs/spec, section 4): systematic
// Reed–Solomon over GF(2^8), on blocks of packets of any length.
//
// A block is k data packets with consecutive sequences and m parity packets. Any k
// of the k+m give the block back, in whatever order they come and wherever a burst
// falls. Each data packet is a shard: what cannot be told from its place in the
// block (a prefix of 7 bytes) and its payload, filled up with zeros to the block's
// longest. The code is the one of Vandermonde's matrix made systematic, over the
// polynomial x^8+x^4+x^3+x^2+1.
//
// A parity packet is an OSTP packet of type FEC. Its stream_id is the data's and its
// SSRC the complement of the data's, with sequence numbers of its own: parity takes
// none of the data's, and where packets are encrypted (SRTP) no two may share SSRC
// and sequence. Its timestamps are those of the block's first packet. Its payload:
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  version = 1  |       k       |       m       |     index     |
//	|           sequence of the block's first data packet           |
//	|  parity: as long as the block's longest shard …               |
//
// and a shard's prefix is the payload's length (16 bits), marker and payload type
// (8), media timestamp (32), all big-endian.
//
// Everything is pure and bounded; values belong to one goroutine each.
package fec

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/klauspost/reedsolomon"

	"github.com/tutti-audio/tutti/ostp"
)

const (
	version    = 1
	headerSize = 8
	prefixSize = 7

	// MaxData is how many data packets a block has at most.
	MaxData = 64
	// MaxParity is how many of parity it has at most.
	MaxParity = 64
	// MaxPayload is the longest payload that is protected: parity must fit a packet
	// off the LAN.
	MaxPayload = 1172 - headerSize - prefixSize
)

// What can be wrong with what claims to be parity.
var (
	ErrFormat = errors.New("malformed FEC")
	ErrShape  = errors.New("a block has 1 to 64 packets, and 1 to 64 of parity")
)

// Header is what a parity packet says of its block.
type Header struct {
	K, M  int    // packets of data and of parity
	Index int    // of this one of parity, from 0
	First uint32 // sequence of the block's first data packet
}

// ParseHeader reads the header of a parity packet's payload. It fails with ErrFormat.
func ParseHeader(payload []byte) (Header, error) {
	if len(payload) < headerSize+prefixSize || payload[0] != version {
		return Header{}, ErrFormat
	}
	h := Header{int(payload[1]), int(payload[2]), int(payload[3]), binary.BigEndian.Uint32(payload[4:])}
	if checkShape(h.K, h.M) != nil || h.Index >= h.M || len(payload) > headerSize+prefixSize+MaxPayload {
		return Header{}, ErrFormat
	}
	return h, nil
}

func checkShape(k, m int) error {
	if k < 1 || k > MaxData || m < 1 || m > MaxParity {
		return fmt.Errorf("%w, not %d and %d", ErrShape, k, m)
	}
	return nil
}

// codes keeps the matrices of the shapes in use.
type codes map[[2]int]reedsolomon.Encoder

const maxCodes = 32

func (c *codes) get(k, m int) (reedsolomon.Encoder, error) {
	if e, ok := (*c)[[2]int{k, m}]; ok {
		return e, nil
	}
	e, err := reedsolomon.New(k, m, reedsolomon.WithMaxGoroutines(1), reedsolomon.WithInversionCache(false))
	if err != nil {
		return nil, err
	}
	if *c == nil || len(*c) >= maxCodes {
		*c = codes{}
	}
	(*c)[[2]int{k, m}] = e
	return e, nil
}

// appendShard appends a data packet as its shard.
func appendShard(dst []byte, p *ostp.Packet) []byte {
	kind := p.PayloadType
	if p.Marker {
		kind |= 0x80
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(p.Payload)))
	dst = append(dst, kind)
	dst = binary.BigEndian.AppendUint32(dst, p.MediaTimestamp)
	return append(dst, p.Payload...)
}

// parseShard fills in what a shard says of its packet. p.Payload aliases it.
func parseShard(p *ostp.Packet, shard []byte) error {
	n := int(binary.BigEndian.Uint16(shard))
	if prefixSize+n > len(shard) {
		return ErrFormat
	}
	p.Marker, p.PayloadType = shard[2]&0x80 != 0, shard[2]&0x7F
	p.MediaTimestamp = binary.BigEndian.Uint32(shard[3:])
	p.Payload = shard[prefixSize : prefixSize+n]
	return nil
}

package dtlssrtp

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"

	"github.com/tutti-audio/tutti/ostp"
)

// gcmSealer encrypts RTP by AEAD_AES_128_GCM (RFC 7714), byte for byte as pion/srtp
// does. A relay does this once for each listener and packet, and between two packets
// for one listener the kernel has filled the processor's cache with other things: most
// of the time goes into waiting for memory. So what a packet needs lies together here,
// instead of behind eight pointers, and can be fetched ahead (see [Fetch]). It
// allocates nothing where dst has room. Callers take turns.
type gcmSealer struct {
	aead    cipher.AEAD // nil: of another profile
	latest  rollover    // of the SSRC that was sealed last
	salt    [saltSize]byte
	nonce   [saltSize]byte
	streams map[uint32]rollover // of the others; none is ever forgotten, or a nonce would come twice
}

const (
	saltSize      = 12
	tagSize       = 16
	rtpHeader     = 12
	labelKey      = 0 // RFC 3711, section 4.3.1
	labelSalt     = 2
	mostIndex     = 1<<48 - 1
	halfSequences = 1 << 15
)

var errExhausted = errors.New("an SSRC has sent as many packets as one key may encrypt: join anew")

// rollover is the index of the newest packet of an SSRC: 32 bits of rollovers, 16 of
// sequence (RFC 3711, section 3.3.1).
type rollover struct {
	ssrc  uint32
	index uint64
}

// init takes the keys.
func (s *gcmSealer) init(masterKey, masterSalt []byte) error {
	key, err1 := derive(masterKey, masterSalt, labelKey)
	salt, err2 := derive(masterKey, masterSalt, labelSalt)
	block, err3 := aes.NewCipher(key)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	copy(s.salt[:], salt)
	s.latest.index = unknown
	var err error
	s.aead, err = cipher.NewGCM(block)
	return err
}

// derive returns the first 16 bytes of a session key (RFC 3711, section 4.3.3: AES in
// counter mode, without a rate of derivation).
func derive(masterKey, masterSalt []byte, label byte) ([]byte, error) {
	block, err := aes.NewCipher(masterKey)
	if err != nil {
		return nil, err
	}
	b := make([]byte, aes.BlockSize)
	copy(b[:len(b)-2], masterSalt)
	b[7] ^= label
	block.Encrypt(b, b)
	return b, nil
}

// seal writes the encrypted packet to dst[:0].
func (s *gcmSealer) seal(dst, packet []byte) ([]byte, error) {
	n := headerLen(packet)
	if n == 0 {
		return nil, ostp.ErrTruncated
	}
	ssrc, sequence := binary.BigEndian.Uint32(packet[8:]), binary.BigEndian.Uint16(packet[2:])
	index := s.stream(ssrc).take(sequence)
	if index > mostIndex {
		return nil, errExhausted
	}
	s.nonce = [saltSize]byte{}
	binary.BigEndian.PutUint32(s.nonce[2:], ssrc)
	binary.BigEndian.PutUint32(s.nonce[6:], uint32(index>>16))
	binary.BigEndian.PutUint16(s.nonce[10:], sequence)
	for i, b := range s.salt {
		s.nonce[i] ^= b
	}
	if cap(dst) < len(packet)+tagSize {
		dst = make([]byte, 0, len(packet)+tagSize)
	}
	return s.aead.Seal(append(dst[:0], packet[:n]...), s.nonce[:], packet[n:], packet[:n]), nil
}

// headerLen is how long an RTP header is, with its extension; 0 of what has no whole one.
func headerLen(b []byte) int {
	if len(b) < rtpHeader {
		return 0
	}
	n := rtpHeader + 4*int(b[0]&0xF)
	if b[0]&0x10 != 0 {
		if len(b) < n+4 {
			return 0
		}
		n += 4 + 4*int(binary.BigEndian.Uint16(b[n+2:]))
	}
	if len(b) < n {
		return 0
	}
	return n
}

// stream finds the state of an SSRC.
func (s *gcmSealer) stream(ssrc uint32) *rollover {
	if s.latest.ssrc == ssrc {
		return &s.latest
	}
	if s.latest.index != unknown {
		if s.streams == nil {
			s.streams = map[uint32]rollover{}
		}
		s.streams[s.latest.ssrc] = s.latest
	}
	known, ok := s.streams[ssrc]
	if !ok {
		known = rollover{ssrc: ssrc, index: unknown}
	}
	s.latest = known
	return &s.latest
}

// unknown is the index before the first packet.
const unknown = 1 << 63

// take returns the index of the packet with a sequence number: the nearest to the
// newest one's.
func (r *rollover) take(sequence uint16) uint64 {
	if r.index == unknown {
		r.index = uint64(sequence)
		return r.index
	}
	ahead := int64(sequence) - int64(r.index&0xFFFF)
	if r.index > halfSequences {
		switch {
		case ahead > halfSequences && r.index&0xFFFF < halfSequences:
			ahead -= 1 << 16
		case ahead < -halfSequences:
			ahead += 1 << 16
		}
	}
	index := uint64(int64(r.index) + ahead)
	r.index = max(r.index, index)
	return index
}

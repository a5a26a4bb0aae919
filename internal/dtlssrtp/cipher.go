package dtlssrtp

import (
	"errors"
	"fmt"
	"sync"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"

	"github.com/tutti-audio/tutti/ostp"
)

// Overhead is how much longer a sealed packet may be than a plain one.
const Overhead = 16 + 4

// replayWindow is how many packets back a packet may come, of RTP and RTCP.
const replayWindow = 1024

// Cipher seals and opens packets of RTP and RTCP with the keys of a handshake. It is
// safe for concurrent use; nobody holds its locks for long.
type Cipher struct {
	sealing sync.Mutex
	gcm     gcmSealer // of RTP, with the profile that it is for

	out       *srtp.Context // of all else
	outHeader rtp.Header
	profile   string

	opening  sync.Mutex
	in       *srtp.Context
	inHeader rtp.Header
}

// NewCipher takes the keys from a handshake that is done.
func NewCipher(conn *dtls.Conn, client bool) (*Cipher, error) {
	state, ok := conn.ConnectionState()
	profile, chosen := conn.SelectedSRTPProtectionProfile()
	if !ok || !chosen {
		return nil, errors.New("the other side knows no SRTP that we do")
	}
	c := srtp.Config{Profile: srtp.ProtectionProfile(profile)}
	if err := c.ExtractSessionKeysFromDTLS(&state, client); err != nil {
		return nil, fmt.Errorf("no keys for SRTP: %w", err)
	}
	out, err1 := srtp.CreateContext(c.Keys.LocalMasterKey, c.Keys.LocalMasterSalt, c.Profile)
	in, err2 := srtp.CreateContext(c.Keys.RemoteMasterKey, c.Keys.RemoteMasterSalt, c.Profile,
		srtp.SRTPReplayProtection(replayWindow), srtp.SRTCPReplayProtection(replayWindow))
	cipher := &Cipher{profile: c.Profile.String(), out: out, in: in}
	if c.Profile == srtp.ProtectionProfileAeadAes128Gcm {
		err1 = errors.Join(err1, cipher.gcm.init(c.Keys.LocalMasterKey, c.Keys.LocalMasterSalt))
	}
	return cipher, errors.Join(err1, err2)
}

// Profile names the cipher.
func (c *Cipher) Profile() string { return c.profile }

// Seal writes the encrypted packet of a plain one to dst[:0]. Room for Overhead more
// bytes keeps it from allocating.
func (c *Cipher) Seal(dst, packet []byte) ([]byte, error) {
	c.sealing.Lock()
	defer c.sealing.Unlock()
	if ostp.IsRTCP(packet) {
		var h rtcp.Header
		return c.out.EncryptRTCP(dst, packet, &h)
	}
	if c.gcm.aead != nil {
		return c.gcm.seal(dst, packet)
	}
	return c.out.EncryptRTP(dst, packet, &c.outHeader)
}

// Fetch has what sealing for each of many needs brought into the processor's cache, all
// at once instead of one after the other while they are sealed for. It changes nothing.
// What it returns is of no use but that the compiler does not leave the reading out.
func Fetch(all []*Cipher) (sum int) {
	for _, c := range all {
		sum += int(c.gcm.salt[0])
	}
	for _, c := range all {
		if c.gcm.aead != nil {
			sum += c.gcm.aead.NonceSize() // lies between the keys
		}
	}
	return sum
}

// Open is the inverse of Seal. It fails on packets that are not the other side's, and
// on such that came before.
func (c *Cipher) Open(dst, packet []byte) ([]byte, error) {
	c.opening.Lock()
	defer c.opening.Unlock()
	if ostp.IsRTCP(packet) {
		var h rtcp.Header
		return c.in.DecryptRTCP(dst, packet, &h)
	}
	return c.in.DecryptRTP(dst, packet, &c.inHeader)
}

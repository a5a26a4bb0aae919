// Package dtlssrtp encrypts a stream of packets between two peers: keys by DTLS 1.2
// (RFC 5764), packets by SRTP (RFC 3711), AEAD_AES_128_GCM first (RFC 7714).
//
// Peers each make an [Identity], tell the other its fingerprint by a way that both
// trust, and accept no certificate but that (RFC 8122). A client of a server with a
// name checks that server's certificate as HTTPS does, and has none itself. The two
// share one path: by its first byte a datagram is DTLS (20 to 63) or SRTP (128 to 191;
// RFC 7983).
//
// An OSTP packet is an RTP packet with an extension, so that header and extension go
// in the clear, and payload and CRC do not.
package dtlssrtp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"net"
	"sync"
	"time"

	"github.com/pion/dtls/v3"
)

const (
	handshakeFor = 5 * time.Second
	lifetime     = 30 * 24 * time.Hour
	maxDatagram  = 2048
)

// ErrFingerprint says that the other side is not who it should be.
var ErrFingerprint = errors.New("the peer's certificate is not the one it was announced with")

// Identity is a certificate of our own.
type Identity struct {
	certificate tls.Certificate
	fingerprint string
}

// NewIdentity makes a key and a certificate for it.
func NewIdentity() (*Identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "tutti"}, NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(lifetime),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &Identity{certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, fingerprint: fingerprintOf(der)}, nil
}

// Fingerprint is the SHA-256 of the certificate, in hexadecimal.
func (i *Identity) Fingerprint() string { return i.fingerprint }

func fingerprintOf(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// Conn is an encrypted way to a peer. Read belongs to one goroutine, Write may be
// called from any.
type Conn struct {
	*Cipher
	under net.Conn
	dtls  *dtls.Conn
	pipe  *pipe

	writing sync.Mutex
	sealed  []byte

	secret, clear []byte // of Read
}

// Handshake agrees on keys with the peer whose certificate has the fingerprint. One
// of the two is the client. It owns under from now on.
func Handshake(ctx context.Context, under net.Conn, own *Identity, client bool, fingerprint string) (*Conn, error) {
	options := append(common(),
		dtls.WithCertificates(own.certificate), dtls.WithInsecureSkipVerify(true), // by fingerprint instead
		dtls.WithVerifyPeerCertificate(func(raw [][]byte, _ [][]*x509.Certificate) error {
			if len(raw) == 0 || subtle.ConstantTimeCompare([]byte(fingerprintOf(raw[0])), []byte(fingerprint)) != 1 {
				return ErrFingerprint
			}
			return nil
		}))
	return shake(ctx, under, client, func(c *Conn) (*dtls.Conn, error) {
		if client {
			return dtls.ClientWithOptions(c.pipe, under.RemoteAddr(), clientOptions(options)...)
		}
		all := []dtls.ServerOption{dtls.WithClientAuth(dtls.RequireAnyClientCert)}
		for _, o := range options {
			all = append(all, o)
		}
		return dtls.ServerWithOptions(c.pipe, under.RemoteAddr(), all...)
	})
}

// HandshakeWith agrees on keys with the server of a name, which must have a certificate
// for it by an authority of roots; nil: those of the system. It owns under from now on.
func HandshakeWith(ctx context.Context, under net.Conn, name string, roots *x509.CertPool) (*Conn, error) {
	options := append(common(), dtls.WithServerName(name))
	if roots != nil {
		options = append(options, dtls.WithRootCAs(roots))
	}
	return shake(ctx, under, true, func(c *Conn) (*dtls.Conn, error) {
		return dtls.ClientWithOptions(c.pipe, under.RemoteAddr(), clientOptions(options)...)
	})
}

func common() []dtls.Option {
	return []dtls.Option{
		dtls.WithExtendedMasterSecret(dtls.RequireExtendedMasterSecret),
		dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80),
		dtls.WithFlightInterval(100 * time.Millisecond),
	}
}

func clientOptions(options []dtls.Option) (all []dtls.ClientOption) {
	for _, o := range options {
		all = append(all, o)
	}
	return all
}

// shake runs a handshake over under.
func shake(ctx context.Context, under net.Conn, client bool, begin func(*Conn) (*dtls.Conn, error)) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeFor)
	defer cancel()
	c := &Conn{under: under, secret: make([]byte, maxDatagram)}
	c.pipe = newPipe(under)
	stop := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() { c.feed(stop) })
	var err error
	if c.dtls, err = begin(c); err == nil {
		if err = c.dtls.HandshakeContext(ctx); err == nil {
			c.Cipher, err = NewCipher(c.dtls, client)
		}
	}
	close(stop)
	_ = under.SetReadDeadline(time.Now()) // the reader stops; Read goes on in its place
	reading.Wait()
	_ = under.SetReadDeadline(time.Time{})
	if err != nil {
		c.pipe.end()
		_ = under.Close()
		return nil, fmt.Errorf("keys could not be agreed on: %w", err)
	}
	return c, nil
}

// feed gives DTLS its datagrams during the handshake.
func (c *Conn) feed(stop <-chan struct{}) {
	buf := make([]byte, maxDatagram)
	for {
		n, err := c.under.Read(buf)
		select {
		case <-stop:
			return
		default:
		}
		if err != nil {
			c.pipe.end()
			return
		}
		c.pipe.put(buf[:n])
	}
}

// Read returns the next packet, decrypted; it is valid until the next Read. What
// cannot be is passed over.
func (c *Conn) Read() ([]byte, error) {
	for {
		n, err := c.under.Read(c.secret)
		if err != nil {
			return nil, err
		}
		b := c.secret[:n]
		if c.pipe.put(b) || n == 0 || b[0]>>6 != 2 {
			continue
		}
		if c.clear, err = c.Open(c.clear[:0], b); err == nil {
			return c.clear, nil
		}
	}
}

// Write encrypts and sends a packet of RTP or RTCP.
func (c *Conn) Write(packet []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	var err error
	if c.sealed, err = c.Seal(c.sealed[:0], packet); err != nil {
		return err
	}
	_, err = c.under.Write(c.sealed)
	return err
}

// ReadData returns what the other side sent as data of DTLS itself, while somebody
// calls Read. WriteData sends such data.
func (c *Conn) ReadData(buf []byte) (int, error) { return c.dtls.Read(buf) }

// WriteData sends data of DTLS itself.
func (c *Conn) WriteData(b []byte) error {
	_, err := c.dtls.Write(b)
	return err
}

// Close ends the way.
func (c *Conn) Close() error {
	c.pipe.end()
	_ = c.dtls.Close()
	return c.under.Close()
}

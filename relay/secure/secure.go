// Package secure is DTLS-SRTP (RFC 5764) on a UDP port that it shares with other
// protocols (RFC 7983): associations by address, their handshakes, and the keys for
// media.
//
// An [Endpoint] is given the datagrams whose first byte is 20 to 63. Application
// data of DTLS is lines; media is SRTP beside it, the whole OSTP packet protected
// with its CRC. The profiles are AEAD_AES_128_GCM and, for those who lack it,
// AES128_CM_HMAC_SHA1_80.
//
// # Floods
//
// An address that has not proved itself must return DTLS's cookie first, and until
// it has, no more bytes are sent to it than came. So many such handshakes are under
// way at a time and no more; addresses that are known have places of their own, and
// need no cookie.
//
// Each association has a goroutine, beside those of the library. All methods are
// safe for concurrent use. Close waits for all goroutines.
package secure

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
)

const (
	maxStrangers    = 64  // handshakes of unknown addresses at a time
	maxHandshakes   = 512 // of known ones
	handshakeWithin = 8 * time.Second
	cookieWithin    = 3 * time.Second
	idleFor         = 20 * time.Second // an association whose user has no use for it
	inboxSize       = 32 << 10         // bytes
	mtu             = 1200
)

// User is what an association is for. Its methods are called by one goroutine.
type User interface {
	Line(b []byte)
	Wanted() bool // it is a member
	Close()
}

// Config is what an endpoint is made of. The functions are called from many
// goroutines and may not wait.
type Config struct {
	Certificate func() (*tls.Certificate, error)
	Send        func(b []byte, to netip.AddrPort)
	Known       func(netip.AddrPort) bool // it has proved its address
	Proved      func(netip.AddrPort)      // it has done so now
	Open        func(*Peer) User          // a handshake is done
	Log         *slog.Logger
}

// Endpoint is the server's side of all associations of one port.
type Endpoint struct {
	config Config
	ctx    context.Context
	cancel context.CancelFunc
	wait   sync.WaitGroup
	counts Counts

	mu      sync.Mutex
	present map[netip.AddrPort]*link // handshake done
	pending map[netip.AddrPort]*link
	unknown int // of pending, those of unknown addresses
	closed  bool
}

// Counts is what an endpoint has seen.
type Counts struct {
	Handshakes, Failed, Refused atomic.Uint64
	Open                        atomic.Int64
}

// New makes an endpoint.
func New(c Config) *Endpoint {
	e := &Endpoint{config: c, present: map[netip.AddrPort]*link{}, pending: map[netip.AddrPort]*link{}}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	return e
}

// Counts returns the endpoint's counters.
func (e *Endpoint) Counts() *Counts { return &e.counts }

// Close ends all associations and waits.
func (e *Endpoint) Close() error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.cancel()
	e.wait.Wait()
	return nil
}

// Datagram takes one datagram of DTLS records. It keeps nothing of b.
func (e *Endpoint) Datagram(b []byte, from netip.AddrPort) {
	e.mu.Lock()
	present, pending := e.present[from], e.pending[from]
	if pending == nil && isClientHello(b) && !e.closed {
		pending = e.begin(from)
	}
	e.mu.Unlock()
	// Which of two associations a record is for shows when one of them can open it.
	for _, l := range []*link{present, pending} {
		if l != nil {
			l.deliver(b)
		}
	}
}

// isClientHello tells the datagram that begins a handshake: a handshake record of
// epoch 0 whose message is a ClientHello.
func isClientHello(b []byte) bool {
	const handshake, clientHello, header = 22, 1, 13
	return len(b) > header && b[0] == handshake && b[3] == 0 && b[4] == 0 && b[header] == clientHello
}

// begin starts a handshake, if there is a place for it. The caller holds the lock.
func (e *Endpoint) begin(from netip.AddrPort) *link {
	known := e.config.Known(from)
	if !known && e.unknown >= maxStrangers || len(e.pending)-e.unknown >= maxHandshakes {
		e.counts.Refused.Add(1)
		return nil
	}
	if !known {
		e.unknown++
	}
	l := newLink(e, from, known)
	e.pending[from] = l
	e.wait.Go(func() { e.serve(l, known) })
	return l
}

// serve is one association from its first datagram to its end.
func (e *Endpoint) serve(l *link, known bool) {
	defer l.Close()
	peer, err := e.handshake(l, known)
	e.mu.Lock()
	delete(e.pending, l.to)
	if !known {
		e.unknown--
	}
	old := e.present[l.to]
	if err == nil {
		e.present[l.to] = l
	}
	e.mu.Unlock()
	if err != nil {
		e.counts.Failed.Add(1)
		e.config.Log.Debug("a DTLS handshake failed", "from", l.to, "error", err)
		return
	}
	if old != nil { // the client has started again
		_ = old.Close()
	}
	e.counts.Handshakes.Add(1)
	e.counts.Open.Add(1)
	defer e.counts.Open.Add(-1)
	peer.run(e.ctx, e.config.Open(peer))
	e.mu.Lock()
	if e.present[l.to] == l {
		delete(e.present, l.to)
	}
	e.mu.Unlock()
}

// handshake does one, and takes the keys for media from it.
func (e *Endpoint) handshake(l *link, known bool) (*Peer, error) {
	conn, err := dtls.ServerWithOptions(l, l.addr(),
		dtls.WithGetCertificate(func(*dtls.ClientHelloInfo) (*tls.Certificate, error) { return e.config.Certificate() }),
		dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80),
		dtls.WithExtendedMasterSecret(dtls.RequireExtendedMasterSecret),
		dtls.WithInsecureSkipVerifyHello(known), // its address is proved already
		dtls.WithMTU(mtu),
		dtls.WithLoggerFactory(quiet{}),
	)
	if err != nil {
		return nil, err
	}
	if !known {
		timer := time.AfterFunc(cookieWithin, func() {
			if !l.proved.Load() {
				_ = l.Close()
			}
		})
		defer timer.Stop()
	}
	ctx, cancel := context.WithTimeout(e.ctx, handshakeWithin)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	peer, err := newPeer(conn, l)
	if err != nil {
		_ = conn.Close()
	}
	return peer, err
}

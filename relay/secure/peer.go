package secure

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// replayWindow is how many packets back a packet may come, of RTP and RTCP.
const replayWindow = 1024

// Overhead is how much longer a protected packet may be than a plain one.
const Overhead = 16 + 4

// Peer is one association whose handshake is done.
type Peer struct {
	conn *dtls.Conn
	link *link

	sending sync.Mutex // guards what follows; nobody holds it for long
	out     *srtp.Context
	header  rtp.Header

	receiving sync.Mutex
	in        *srtp.Context
	inHeader  rtp.Header
}

func newPeer(conn *dtls.Conn, l *link) (*Peer, error) {
	state, ok := conn.ConnectionState()
	profile, chosen := conn.SelectedSRTPProtectionProfile()
	if !ok || !chosen {
		return nil, errors.New("the client offers no SRTP profile")
	}
	keys := srtp.Config{Profile: srtp.ProtectionProfile(profile)}
	if err := keys.ExtractSessionKeysFromDTLS(&state, false); err != nil {
		return nil, fmt.Errorf("no keys for SRTP: %w", err)
	}
	out, err1 := srtp.CreateContext(keys.Keys.LocalMasterKey, keys.Keys.LocalMasterSalt, keys.Profile)
	in, err2 := srtp.CreateContext(keys.Keys.RemoteMasterKey, keys.Keys.RemoteMasterSalt, keys.Profile,
		srtp.SRTPReplayProtection(replayWindow), srtp.SRTCPReplayProtection(replayWindow))
	return &Peer{conn: conn, link: l, out: out, in: in}, errors.Join(err1, err2)
}

// Addr returns the peer's address.
func (p *Peer) Addr() netip.AddrPort { return p.link.to }

// Close ends the association.
func (p *Peer) Close() { _ = p.link.Close() }

// Line sends a line.
func (p *Peer) Line(b []byte) { _, _ = p.conn.Write(b) }

// run reads lines until the association ends, or is of no use.
func (p *Peer) run(ctx context.Context, user User) {
	defer user.Close()
	stop := context.AfterFunc(ctx, func() { _ = p.conn.Close() })
	defer stop()
	b := make([]byte, 2048)
	for useful := time.Now(); ; {
		_ = p.conn.SetReadDeadline(time.Now().Add(idleFor))
		n, err := p.conn.Read(b)
		if user.Wanted() {
			useful = time.Now()
		}
		var late interface{ Timeout() bool }
		silent := errors.As(err, &late) && late.Timeout()
		if err != nil && !silent || ctx.Err() != nil || time.Since(useful) >= idleFor {
			_ = p.conn.Close()
			return
		}
		if err == nil {
			user.Line(b[:n])
		}
	}
}

// Protect appends the SRTP packet of a plain one to dst[:0]. Room for Overhead more
// bytes keeps it from allocating.
func (p *Peer) Protect(dst, packet []byte) ([]byte, error) {
	p.sending.Lock()
	defer p.sending.Unlock()
	return p.out.EncryptRTP(dst, packet, &p.header)
}

// ProtectRTCP is Protect for RTCP.
func (p *Peer) ProtectRTCP(dst, packet []byte) ([]byte, error) {
	p.sending.Lock()
	defer p.sending.Unlock()
	var h rtcp.Header
	return p.out.EncryptRTCP(dst, packet, &h)
}

// Unprotect is the inverse of Protect. It fails on packets that are not the peer's,
// and on such that came before.
func (p *Peer) Unprotect(dst, packet []byte) ([]byte, error) {
	p.receiving.Lock()
	defer p.receiving.Unlock()
	return p.in.DecryptRTP(dst, packet, &p.inHeader)
}

// UnprotectRTCP is Unprotect for RTCP.
func (p *Peer) UnprotectRTCP(dst, packet []byte) ([]byte, error) {
	p.receiving.Lock()
	defer p.receiving.Unlock()
	var h rtcp.Header
	return p.in.DecryptRTCP(dst, packet, &h)
}

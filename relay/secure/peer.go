package secure

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/tutti-audio/tutti/internal/dtlssrtp"
)

// Peer is one association whose handshake is done. Its Cipher seals and opens packets.
type Peer struct {
	*dtlssrtp.Cipher
	conn *dtls.Conn
	link *link
}

func newPeer(conn *dtls.Conn, l *link) (*Peer, error) {
	cipher, err := dtlssrtp.NewCipher(conn, false)
	return &Peer{Cipher: cipher, conn: conn, link: l}, err
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

// Package peer is the way from one device straight to another, with no relay in the
// data path: ICE (RFC 8445) finds it, DTLS-SRTP (internal/dtlssrtp) encrypts it.
//
// The two meet by short messages, which somebody both know passes on: a relay's SIGNAL
// lines. Whoever wants to hear dials: it sends an offer with its ICE credentials and
// the fingerprint of its certificate; the source answers with its own; candidates
// follow as they are found. The relay could put itself between by changing both
// fingerprints: whoever must not trust it needs another way to compare them.
//
// A source serves few peers ([MaxPeers]): its upload is a home's. All the others it
// refuses, and they stay with the relay. Everything owns its goroutines; Close waits.
package peer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"

	"github.com/tutti-audio/tutti/internal/dtlssrtp"
	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// MaxPeers is how many listeners a source serves itself.
const MaxPeers = 3

// How long things take.
const (
	findFor  = 8 * time.Second // a way, from the offer on
	sayEvery = 500 * time.Millisecond
	silentIn = 5 * time.Second // without any sign of life
)

// Reasons for which there is no way to a peer.
var (
	ErrFull = errors.New("the source serves as many peers as it can")
	ErrBye  = errors.New("the source has ended the way")
	ErrNone = errors.New("no way between the two networks was found")
	ErrMute = errors.New("the source does not answer by the relay")
	ErrTURN = errors.New("the TURN server gives no address")
)

// Config is what both sides need.
type Config struct {
	Servers func() []*stun.URI // STUN and TURN, asked for as each connection begins; nil: none
	Clock   *hostclock.Clock
	Log     *slog.Logger
}

// message is what crosses the signalling.
type message struct {
	Kind        string `json:"k"`           // offer, answer, candidate, full, bye
	Call        string `json:"n"`           // which offer it belongs to
	Ufrag       string `json:"u,omitempty"` // ICE credentials
	Password    string `json:"p,omitempty"`
	Fingerprint string `json:"f,omitempty"`
	Candidate   string `json:"c,omitempty"`
}

// Signal sends a message to the member with an id.
type Signal func(to string, payload []byte) error

// call is one attempt at a way, and then the way.
type call struct {
	config   Config
	agent    *ice.Agent
	identity *dtlssrtp.Identity
	number   string
	tell     func(message)
	remote   chan message // its offer or answer
	refused  *refusal
	conn     *dtlssrtp.Conn
	client   bool

	mu   sync.Mutex
	said []message // to the other side, to be said again
}

func newCall(c Config, number string, client bool, tell func(message)) (*call, error) {
	identity, err := dtlssrtp.NewIdentity()
	if err != nil {
		return nil, err
	}
	var servers []*stun.URI
	if c.Servers != nil {
		servers = c.Servers()
	}
	refused := new(refusal)
	agent, err := ice.NewAgentWithOptions(
		ice.WithUrls(servers), ice.WithLoggerFactory(refused), ice.WithNetworkTypes([]ice.NetworkType{ice.NetworkTypeUDP4, ice.NetworkTypeUDP6}),
		ice.WithMulticastDNSMode(ice.MulticastDNSModeDisabled), ice.WithDisconnectedTimeout(silentIn/2), ice.WithFailedTimeout(silentIn/2),
		ice.WithKeepaliveInterval(time.Second), ice.WithHostAcceptanceMinWait(0), ice.WithSrflxAcceptanceMinWait(100*time.Millisecond),
		ice.WithPrflxAcceptanceMinWait(150*time.Millisecond), ice.WithRelayAcceptanceMinWait(time.Second), ice.WithCheckInterval(50*time.Millisecond), ice.WithMaxBindingRequests(60),
	)
	if err != nil {
		return nil, fmt.Errorf("ICE: %w", err)
	}
	p := &call{config: c, agent: agent, identity: identity, number: number, tell: tell, remote: make(chan message, 1), refused: refused, client: client}
	err = agent.OnCandidate(func(found ice.Candidate) {
		if found != nil {
			p.say(message{Kind: "candidate", Call: number, Candidate: found.Marshal()})
		}
	})
	err = errors.Join(err, agent.OnConnectionStateChange(func(now ice.ConnectionState) {
		if now == ice.ConnectionStateFailed {
			_ = agent.Close() // which ends what reads
		}
	}))
	if err != nil {
		return nil, errors.Join(err, agent.Close())
	}
	return p, nil
}

// introduce tells the other side who we are, and begins to look for candidates.
func (p *call) introduce(kind string) error {
	ufrag, password, err := p.agent.GetLocalUserCredentials()
	if err != nil {
		return err
	}
	p.say(message{Kind: kind, Call: p.number, Ufrag: ufrag, Password: password, Fingerprint: p.identity.Fingerprint()})
	return p.agent.GatherCandidates()
}

// say tells the other side something, and keeps it: what is told may get lost.
func (p *call) say(m message) {
	p.mu.Lock()
	p.said = append(p.said, m)
	p.mu.Unlock()
	p.tell(m)
}

// repeat tells all of it again.
func (p *call) repeat() {
	p.mu.Lock()
	said := slices.Clone(p.said)
	p.mu.Unlock()
	for _, m := range said {
		p.tell(m)
	}
}

// take follows a message of the other side.
func (p *call) take(m message) {
	switch m.Kind {
	case "candidate":
		if c, err := ice.UnmarshalCandidate(m.Candidate); err == nil {
			_ = p.agent.AddRemoteCandidate(c)
		}
	default:
		select {
		case p.remote <- m:
		default:
		}
	}
}

// connect finds the way and agrees on keys, once the other side has introduced itself.
func (p *call) connect(ctx context.Context, m message) error {
	var under *ice.Conn
	var err error
	if p.client {
		under, err = p.agent.Dial(ctx, m.Ufrag, m.Password)
	} else {
		under, err = p.agent.Accept(ctx, m.Ufrag, m.Password)
	}
	switch {
	case errors.Is(err, ice.ErrClosed): // by the failure that is meant
		return p.refused.explain(ErrNone)
	case err != nil:
		return p.refused.explain(fmt.Errorf("%w: %w", ErrNone, err))
	}
	p.conn, err = dtlssrtp.Handshake(ctx, under, p.identity, p.client, m.Fingerprint)
	return err
}

// hear reads until the way ends.
func (p *call) hear(take func(b []byte, at timebase.Local)) error {
	for {
		b, err := p.conn.Read()
		if err != nil {
			return fmt.Errorf("the way to the peer has ended: %w", err)
		}
		take(b, p.config.Clock.Now())
	}
}

// way describes the pair of addresses in use.
func (p *call) way() (what string, roundTrip time.Duration) {
	pair, err := p.agent.GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return "", 0
	}
	if s, ok := p.agent.GetSelectedCandidatePairStats(); ok {
		roundTrip = time.Duration(s.CurrentRoundTripTime * float64(time.Second))
	}
	what = fmt.Sprintf("%s %s to %s %s", pair.Local.Type(), net.JoinHostPort(pair.Local.Address(), fmt.Sprint(pair.Local.Port())),
		pair.Remote.Type(), net.JoinHostPort(pair.Remote.Address(), fmt.Sprint(pair.Remote.Port())))
	return what, roundTrip
}

func (p *call) close() {
	if p.conn != nil {
		_ = p.conn.Close()
	}
	_ = p.agent.GracefulClose()
}

func (m message) encode() []byte {
	b, err := json.Marshal(m)
	if err != nil {
		panic("peer: a message of strings cannot be marshalled: " + err.Error())
	}
	return b
}

const maxMessage = 1000 // bytes

func decode(b []byte) (m message, err error) {
	if len(b) > maxMessage {
		return m, errors.New("signal is too long")
	}
	err = json.Unmarshal(b, &m)
	return m, err
}

package agent

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/pion/stun/v4"

	"github.com/tutti-audio/tutti/agent/session/merge"
	"github.com/tutti-audio/tutti/agent/session/peer"
	"github.com/tutti-audio/tutti/agent/session/remote"
	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/describe"
	"github.com/tutti-audio/tutti/ostp/line"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// fitsRelay reports whether the stream's packets cross the internet whole.
func fitsRelay(c SendConfig) error {
	bits := map[ostp.PayloadType]int{ostp.PCM16: 16, ostp.PCM24: 24, ostp.FLAC: c.Codec.Bits}[c.Codec.Type]
	size := c.Codec.Frames * c.Input.Channels() * bits / 8
	if c.Codec.Type == ostp.FLAC {
		size += flacOverhead
	}
	if size > remote.MaxPayload {
		return fmt.Errorf("packets of %d bytes do not cross the internet whole, %d do: choose --codec opus, or a shorter --packet", size, remote.MaxPayload)
	}
	return nil
}

// flacOverhead is by how much a frame that cannot be compressed is longer than PCM.
const flacOverhead = 32

// membership is how this source joins the relay.
func (c SendConfig) membership() remote.Membership {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return remote.Membership{
		Relay: *c.Relay, Channel: c.Channel, Password: c.Password, Name: c.Name, Device: hex.EncodeToString(b[:]), Clock: c.Clock, Log: c.Log,
	}
}

func (s *Sending) newUplink(c SendConfig) *remote.Uplink {
	u := remote.UplinkConfig{Membership: c.membership(), Stream: s.Stream, Told: s.heed, Steer: s.SetBitrate}
	if c.Codec.Type == ostp.Opus {
		u.Bitrate = c.Codec.Bitrate
	}
	return remote.NewUplink(u)
}

// toRelay gives the relay a packet.
func (s *Sending) toRelay(packet []byte) {
	if u := s.uplink.Load(); u != nil {
		parity := u.Send(packet)
		s.peers.Send(packet)
		for _, b := range parity {
			s.peers.Send(b)
		}
	}
}

// Uplink returns how the way to the relay is; ok is false without one.
func (s *Sending) Uplink() (status remote.UplinkStatus, ok bool) {
	u := s.uplink.Load()
	if u == nil {
		return remote.UplinkStatus{}, false
	}
	return u.Status(), true
}

// Peers lists the listeners that are served without the relay.
func (s *Sending) Peers() []peer.Peer {
	if s.peers == nil {
		return nil
	}
	return s.peers.Peers()
}

// heed follows what the relay says to the source.
func (s *Sending) heed(l line.Line) {
	if m, ok := l.(line.Signal); ok {
		takeSignal(m, s.peers.Take)
	}
}

// signal sends a message to another member of the channel.
func (s *Sending) signal(to string, payload []byte) error {
	if u := s.uplink.Load(); u != nil {
		if m := u.Member(); m != nil {
			return sendSignal(m, to, payload)
		}
	}
	return errors.New("the relay is not there")
}

// hearPeer answers what a peer asks for.
func (s *Sending) hearPeer(b []byte, at timebase.Local, reply func([]byte) error) {
	u := s.uplink.Load()
	switch {
	case u == nil:
	case ostp.IsRTCP(b):
		u.Heed(b, time.Now())
	default:
		u.Answer(b, at, reply)
	}
}

// lookAround looks at the network to the relay until the source ends.
func (s *Sending) lookAround(log *slog.Logger) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.wait.Go(func() { <-s.quit; cancel() })
	var n network
	for ctx.Err() == nil {
		if m := s.uplink.Load().Member(); m != nil {
			n.watch(ctx, m, log)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (s *Sending) iceServers() []*stun.URI {
	if u := s.uplink.Load(); u != nil {
		if m := u.Member(); m != nil {
			return foremost(iceServers(context.Background(), m, s.turn))
		}
	}
	return nil
}

func sendSignal(m *remote.Member, to string, payload []byte) error {
	return m.Send(line.Signal{ID: to, Payload: base64.RawURLEncoding.EncodeToString(payload)})
}

func takeSignal(l line.Signal, take func(from string, payload []byte)) {
	if b, err := base64.RawURLEncoding.DecodeString(l.Payload); err == nil {
		take(l.ID, b)
	}
}

// iceServers asks the relay for STUN and TURN servers; without any, only networks that
// reach each other directly find a way. A TURN server is one more relay in the path, and
// there is one already: unless it is allowed, it is asked for addresses only.
func iceServers(ctx context.Context, m *remote.Member, turn bool) (all []*stun.URI) {
	servers, err := m.ICEServers(ctx)
	if err != nil {
		return nil
	}
	for _, s := range servers {
		for _, text := range s.URLs {
			u, err := stun.ParseURI(text)
			switch {
			case err != nil:
			case turn:
				u.Username, u.Password = s.Username, s.Credential
				all = append(all, u)
			case u.Proto == stun.ProtoTypeUDP:
				all = append(all, &stun.URI{Scheme: stun.SchemeTypeSTUN, Host: u.Host, Port: u.Port, Proto: u.Proto})
			}
		}
	}
	return all
}

// foremost keeps one STUN server and what is TURN: two of one host would only make ICE
// try twice.
func foremost(servers []*stun.URI) (kept []*stun.URI) {
	some := false
	for _, u := range servers {
		if u.Scheme == stun.SchemeTypeSTUN {
			if some {
				continue
			}
			some = true
		}
		kept = append(kept, u)
	}
	return kept
}

const sourceWithin = 2 * time.Second // of joining the relay names the source

// joinPeer hears a channel straight from its source.
func (l *listening) joinPeer(ctx context.Context, path *merge.Path, known *describe.Stream) (session, error) {
	m, err := l.member.get()
	if err != nil {
		return nil, err
	}
	source, err := onlySender(ctx, m)
	if err != nil {
		return nil, err
	}
	inbox := new(peer.Inbox)
	stop := m.Follow(func(told line.Line) {
		if s, ok := told.(line.Signal); ok {
			takeSignal(s, inbox.Take)
		}
	})
	c := peer.Config{Servers: func() []*stun.URI { return foremost(iceServers(ctx, m, l.speaker.config.Turn)) }, Clock: l.speaker.clock, Log: l.speaker.log}
	open := func(ctx context.Context, hear func([]byte, timebase.Local)) (remote.Transport, error) {
		conn, err := peer.Dial(ctx, c, source, func(to string, b []byte) error { return sendSignal(m, to, b) }, inbox, hear)
		if err != nil {
			stop()
			return nil, err
		}
		return peered{conn, stop}, nil
	}
	return l.joinBy(ctx, m, path, known, open)
}

// peered is a way to a peer that ends with its signalling.
type peered struct {
	*peer.Conn
	stop func()
}

// Close implements remote.Transport.
func (p peered) Close() error {
	err := p.Conn.Close()
	p.stop()
	return err
}

// onlySender waits until the relay has named the one who sends. Of several nobody
// knows which one has the floor.
func onlySender(ctx context.Context, m *remote.Member) (string, error) {
	late := time.After(sourceWithin)
	look := time.NewTicker(looking)
	defer look.Stop()
	for {
		senders := m.Senders()
		if len(senders) == 1 {
			return senders[0], nil
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-late:
			return "", fmt.Errorf("the channel has %d members that may send, not one", len(senders))
		case <-look.C:
		}
	}
}

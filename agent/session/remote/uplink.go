package remote

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/control"
	"github.com/tutti-audio/tutti/ostp/describe"
	"github.com/tutti-audio/tutti/ostp/fec"
	"github.com/tutti-audio/tutti/ostp/ladder"
	"github.com/tutti-audio/tutti/ostp/line"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const (
	recentPackets = 1024 // kept for those who ask again
	resendMost    = 200  // packets a second sent again
	publishEvery  = 10 * time.Second
	udpAgainEvery = 15 * time.Second // by WebSocket, until UDP is tried again
)

// Uplink gives a stream to a relay.
type Uplink struct {
	config UplinkConfig
	member atomic.Pointer[Member]

	mu      sync.Mutex
	recent  [recentPackets][]byte
	packet  ostp.Packet
	asked   []uint16
	resends int
	since   timebase.Local
	problem string
	heal    healing
	ladder  *ladder.Ladder
	lost    map[uint32]uint32 // what each listener reported to have lost, in all

	sent, resent, parity atomic.Uint64
	ctx                  context.Context
	cancel               context.CancelFunc
	wait                 sync.WaitGroup
}

// UplinkConfig is what an uplink is made of.
type UplinkConfig struct {
	Membership
	Stream  func() describe.Stream // what is sent
	Told    func(line.Line)        // is called with each line of the relay
	Bitrate int                    // of Opus, bits per second, at most; 0: it cannot be changed
	Steer   func(bitrate int)      // changes it
}

// NewUplink begins to join; it goes on trying until Close.
func NewUplink(c UplinkConfig) *Uplink {
	u := &Uplink{config: c, ladder: ladder.New(c.Bitrate), lost: map[uint32]uint32{}}
	u.ctx, u.cancel = context.WithCancel(context.Background())
	u.wait.Go(u.run)
	return u
}

// run keeps the uplink a member.
func (u *Uplink) run() {
	for u.ctx.Err() == nil {
		m, web, err := u.dial()
		if err != nil {
			u.say(err.Error())
			u.pause(time.Second)
			continue
		}
		m.Follow(u.config.Told)
		u.member.Store(m)
		for next := u.stay(m, web); next != nil; next = u.stay(m, false) {
			m = next
		}
		u.member.Store(nil)
		_ = m.Close()
	}
}

// dial becomes a member by UDP, or, where that does not go, by WebSocket.
func (u *Uplink) dial() (m *Member, web bool, err error) {
	if m, err = DialSource(u.ctx, u.config.Membership, u.hear); err == nil || errors.Is(err, ErrRefused) {
		return m, false, err
	}
	if m, webErr := DialSourceWeb(u.ctx, u.config.Membership, u.hear); webErr == nil {
		u.config.Log.Warn("the relay gets the stream by WebSocket", "relay", u.config.Relay, "because", err)
		return m, true, nil
	}
	return nil, false, err
}

// stay publishes the description until the membership ends. One by WebSocket ends as
// soon as there is one by UDP, which is returned.
func (u *Uplink) stay(m *Member, web bool) (next *Member) {
	var published describe.Stream
	var session string // a relay that was restarted gives another, and knows nothing
	var at time.Time
	began := time.Now()
	for m.ctx.Err() == nil {
		s, now := u.config.Stream(), m.token()
		if s != published || now != session || time.Since(at) > publishEvery {
			err := m.publish(m.ctx, &s)
			if err == nil {
				published, session, at = s, now, time.Now()
				u.say("")
			} else if m.ctx.Err() == nil {
				u.say(err.Error())
			}
		}
		if web && time.Since(began) > udpAgainEvery {
			if next := u.better(m); next != nil {
				return next
			}
			began = time.Now()
		}
		u.pause(200 * time.Millisecond)
	}
	if u.ctx.Err() == nil {
		u.say(context.Cause(m.ctx).Error())
	}
	return nil
}

// better changes from a membership by WebSocket to one by UDP, if that is to be had;
// the relay knows both as one device.
func (u *Uplink) better(old *Member) *Member {
	m, err := DialSource(u.ctx, u.config.Membership, u.hear)
	if err != nil {
		return nil
	}
	m.Follow(u.config.Told)
	u.member.Store(m)
	_ = old.Close()
	u.config.Log.Info("the relay gets the stream by UDP", "relay", u.config.Relay)
	return m
}

func (u *Uplink) pause(d time.Duration) {
	select {
	case <-u.ctx.Done():
	case <-time.After(d):
	}
}

// say logs a problem once, and its end.
func (u *Uplink) say(problem string) {
	u.mu.Lock()
	changed := u.problem != problem
	u.problem = problem
	u.mu.Unlock()
	switch {
	case !changed:
	case problem == "":
		u.config.Log.Info("the relay has the stream", "relay", u.config.Relay, "channel", u.config.Channel)
	default:
		u.config.Log.Warn("the relay does not have the stream", "relay", u.config.Relay, "problem", problem)
	}
}

// Send gives one packet to the relay, with the parity that leaves beside it, and returns
// that for those who hear the source otherwise; it is valid until the next call. It
// belongs to the goroutine that paces.
func (u *Uplink) Send(b []byte) (parity [][]byte) {
	m := u.member.Load()
	if m != nil {
		_ = m.Write(b)
		u.sent.Add(1)
	}
	u.mu.Lock()
	slot := &u.recent[sequenceOf(b)%recentPackets]
	*slot = append((*slot)[:0], b...)
	parity = u.heal.with(b)
	u.mu.Unlock()
	for _, b := range parity {
		if m != nil {
			_ = m.Write(b)
			u.parity.Add(1)
		}
	}
	return parity
}

// sequenceOf returns the low half of a packet's sequence.
func sequenceOf(b []byte) int { return int(b[2])<<8 | int(b[3]) }

// hear answers what the relay passes on: requests for packets that it lacks.
func (u *Uplink) hear(b []byte, at timebase.Local) {
	m := u.member.Load()
	switch {
	case ostp.IsRTCP(b):
		u.Heed(b, time.Now())
	case m != nil:
		u.Answer(b, at, m.Write)
	}
}

// Heed takes in a listener's report: how much parity is sent, and at what bitrate,
// follows from it.
func (u *Uplink) Heed(b []byte, now time.Time) {
	said, err := control.Parse(b, 0)
	if err != nil || said.Receiver == nil {
		return
	}
	r := said.Receiver
	s := u.config.Stream()
	if r.Stream != s.SSRC {
		return
	}
	loss := float64(r.FractionLost) / 255
	u.mu.Lock()
	defer u.mu.Unlock()
	before, known := u.lost[r.SSRC]
	if len(u.lost) >= mostListeners {
		clear(u.lost)
	}
	u.lost[r.SSRC] = r.Lost
	given := 0
	if known && r.Lost > before {
		given = int(r.Lost - before)
	}
	u.heal.adapter.Report(r.SSRC, fec.Listener{
		Loss: loss, Burst: r.Health.Burst, Given: given, Mend: r.Health.Mend, Asks: int(r.Health.Asks),
	}, now)
	u.heal.shape(timebase.Media(s.Frames).Duration(), s.Latency, now)
	jitter := time.Duration(float64(r.Jitter) / timebase.Rate * float64(time.Second))
	if u.config.Bitrate > 0 && u.ladder.Report(loss, jitter, now) {
		u.config.Log.Info("the bitrate follows the listeners' networks", "bit/s", u.ladder.Bitrate())
		u.config.Steer(u.ladder.Bitrate())
	}
}

// mostListeners is how many listeners' reports are kept apart.
const mostListeners = 4096

// Answer sends again what a NACK asks for, as far as it is still known.
func (u *Uplink) Answer(b []byte, at timebase.Local, send func([]byte) error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if ostp.ParsePacket(&u.packet, b) != nil || ostp.PayloadType(u.packet.PayloadType) != ostp.NACK {
		return
	}
	var err error
	if u.asked, err = ostp.ParseNACK(u.asked[:0], u.packet.Payload); err != nil {
		return
	}
	if at.Sub(u.since) > time.Second {
		u.since, u.resends = at, 0
	}
	for _, sequence := range u.asked {
		kept := u.recent[int(sequence)%recentPackets]
		if len(kept) == 0 || sequenceOf(kept) != int(sequence) || u.resends >= resendMost {
			continue
		}
		u.resends++
		u.resent.Add(1)
		_ = send(kept)
	}
}

// Member is the present membership; nil when there is none.
func (u *Uplink) Member() *Member { return u.member.Load() }

// UplinkStatus is how an uplink does.
type UplinkStatus struct {
	Relay     string        `json:"relay"`
	Joined    bool          `json:"joined"`
	Problem   string        `json:"problem,omitempty"`
	Sent      uint64        `json:"sent"`
	Resent    uint64        `json:"resent"`
	Parity    uint64        `json:"parity"`
	RoundTrip time.Duration `json:"round_trip_ns"`
}

// Status returns how the uplink does.
func (u *Uplink) Status() UplinkStatus {
	s := UplinkStatus{Relay: u.config.Relay.String(), Sent: u.sent.Load(), Resent: u.resent.Load(), Parity: u.parity.Load()}
	if m := u.member.Load(); m != nil {
		s.Joined, s.RoundTrip = true, m.RoundTrip()
	}
	u.mu.Lock()
	s.Problem = u.problem
	u.mu.Unlock()
	return s
}

// Close leaves the relay and waits.
func (u *Uplink) Close() error {
	u.cancel()
	u.wait.Wait()
	return nil
}

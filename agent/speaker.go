// Package agent assembles one speaker and keeps it running: the player on its
// sound device, the session that feeds it, discovery, what is remembered, and the
// API that shows it all.
//
// A [Speaker] owns all of them. One goroutine, the supervisor, decides which
// source to play and joins again whenever a stream ends; the methods only change
// what it wants. Close ends everything in turn and waits.
package agent

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-audio/tutti/agent/config"
	"github.com/tutti-audio/tutti/agent/discovery"
	"github.com/tutti-audio/tutti/agent/mode"
	"github.com/tutti-audio/tutti/agent/output"
	"github.com/tutti-audio/tutti/agent/player"
	"github.com/tutti-audio/tutti/agent/session/remote"
	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/sync/playout"
)

// Speaker is one speaker.
type Speaker struct {
	config  config.Config
	version string
	log     *slog.Logger
	clock   *hostclock.Clock
	since   time.Time
	ssrc    uint32
	relay   *remote.Endpoint // nil: none

	player  *player.Player
	board   *board
	node    *discovery.Node // nil when discovery cannot run
	service *discovery.Announcement
	port    uint16
	nearby  *nearby
	changed chan struct{} // the supervisor should look again
	network network
	house   atomic.Pointer[household] // of what is listened to; nil: nothing yet

	naming sync.Mutex // held while what is announced changes; before mu

	mu       sync.Mutex
	shown    string // the name that others see
	state    config.State
	wants    wants
	session  session
	address  string // of the session's source
	mode     mode.Mode
	why      string             // that mode
	failed   [mode.Count]string // why a way cannot be opened, or has ended
	phase    phase
	hush     bool      // the amplifier is not ready: nothing may sound
	saveFail string    // why the state could not be saved
	aligned  time.Time // since when playout has run without a discontinuity
	jumps    uint64    // of playout, until then

	quit chan struct{}
	wait sync.WaitGroup
}

// wants is what the speaker is asked to do: configuration, overlaid with what was
// changed later.
type wants struct {
	name, room, channel string
	mapping             playout.ChannelMap
	volume              int
	muted               bool
	trim                time.Duration
}

// phase is what the supervisor is doing, for people.
type phase struct{ state, reason, problem string }

// New starts a speaker. port is where its API will be served, for announcing.
func New(c config.Config, version string, port uint16, log *slog.Logger) (*Speaker, error) {
	s := &Speaker{
		config: c, version: version, log: log, clock: hostclock.New(c.HostSkewPPM), since: time.Now(),
		changed: make(chan struct{}, 1), quit: make(chan struct{}), phase: phase{state: "searching"}, mode: mode.None,
	}
	if err := s.remember(); err != nil {
		return nil, err
	}
	if c.Relay != "" {
		relay, err := remote.ParseEndpoint(c.Relay)
		if err != nil {
			return nil, err
		}
		s.relay = &relay
	}
	s.board = newBoard(c.Hardware, thisHost(), log)
	s.hush = s.board.front.HasAmplifier()
	s.player = player.New(player.Config{
		Open: func() (player.Output, error) { return output.Open(c.Output, s.clock) }, Clock: s.clock, Log: log,
		Volume: s.wants.volume, Muted: s.wants.muted || s.hush, Mapping: s.wants.mapping, Trim: s.wants.trim,
		CardPPM: s.state.CardPPM, CardSigma: rememberedSigma(s.state.CardPPM),
	})
	s.nearby = newNearby(s.poke)
	if err := s.announce(port); err != nil {
		log.Warn("nobody can be found on this network", "error", err, "instead", "name the sender: tutti run --source HOST:PORT")
	}
	s.board.start(&hand{s})
	s.wait.Go(s.supervise)
	return s, nil
}

// rememberedSigma is how sure a remembered crystal is, in ppm: temperature moves
// it by a few. Nothing is remembered of a crystal of exactly 0.
func rememberedSigma(ppm float64) float64 {
	if ppm == 0 {
		return 0
	}
	return 10
}

// remember loads the state and overlays it on the configuration.
func (s *Speaker) remember() (err error) {
	if s.state, err = config.LoadState(s.config.StateDir); err != nil {
		s.log.Warn("starting afresh", "error", err)
	}
	if s.state.ID == "" {
		var b [8]byte
		_, _ = rand.Read(b[:])
		s.state.ID = hex.EncodeToString(b[:])
		s.save()
	}
	var b [4]byte
	_, _ = rand.Read(b[:])
	s.ssrc = binary.BigEndian.Uint32(b[:])
	c := s.config
	s.wants = wants{name: c.Name, room: c.Room, channel: c.Channel, volume: c.Volume, muted: s.state.Muted,
		trim: time.Duration(c.TrimMS * float64(time.Millisecond))}
	mapping := c.ChannelMap
	if s.state.Name != "" {
		s.wants.name = s.state.Name
	}
	if s.state.Channel != nil {
		s.wants.channel = *s.state.Channel
	}
	if s.state.ChannelMap != "" {
		mapping = s.state.ChannelMap
	}
	if s.state.Volume != nil {
		s.wants.volume = *s.state.Volume
	}
	if s.state.Trim != nil {
		s.wants.trim = *s.state.Trim
	}
	if s.wants.name == "" {
		s.wants.name, _ = os.Hostname()
	}
	if s.wants.room == "" {
		s.wants.room = s.wants.name
	}
	s.shown = s.wants.name
	s.wants.mapping, err = playout.ParseChannelMap(mapping)
	return err
}

// save keeps the state; a disk that is full costs a warning, not the music.
// Callers hold mu, or are New.
func (s *Speaker) save() {
	err := config.SaveState(s.config.StateDir, s.state)
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	if problem != s.saveFail && err != nil {
		s.log.Warn("settings will be lost at the next restart", "error", err)
	}
	s.saveFail = problem
}

// poke makes the supervisor look again.
func (s *Speaker) poke() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Clock returns this host's clock.
func (s *Speaker) Clock() *hostclock.Clock { return s.clock }

// Close ends the session, says goodbye, remembers the card and waits.
func (s *Speaker) Close() error {
	close(s.quit)
	s.wait.Wait()
	if p := s.player.Status(); p.Open && p.CardSigma < 20 {
		s.mu.Lock()
		s.state.CardPPM = p.CardPPM
		s.save()
		s.mu.Unlock()
	}
	err := errors.Join(s.board.Close(), s.player.Close()) // the amplifier needs silence from the player
	if s.node != nil {
		err = errors.Join(err, s.node.Close())
	}
	return err
}

// SetVolume implements control.Speaker.
func (s *Speaker) SetVolume(percent int) error {
	if percent < 0 || percent > 100 {
		return fmt.Errorf("volume %d: use 0 to 100", percent)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wants.volume, s.state.Volume = percent, &percent
	s.save()
	s.setGain()
	return nil
}

// SetMuted implements control.Speaker.
func (s *Speaker) SetMuted(muted bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wants.muted, s.state.Muted = muted, muted
	s.save()
	s.setGain()
	return nil
}

// setGain tells the player how loud it may be. Callers hold mu.
func (s *Speaker) setGain() { s.player.SetVolume(s.wants.volume, s.wants.muted || s.hush) }

// Turns counts the audio thread's turns; see player.Player.Turns.
func (s *Speaker) Turns() uint64 { return s.player.Turns() }

// MaxTrim is the greatest trim either way.
const MaxTrim = 2 * time.Second

// SetTrim implements control.Speaker.
func (s *Speaker) SetTrim(trim time.Duration) error {
	if trim.Abs() > MaxTrim {
		return fmt.Errorf("trim %v: use -%v to %v", trim, MaxTrim, MaxTrim)
	}
	trim = trim.Round(100 * time.Microsecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wants.trim, s.state.Trim = trim, &trim
	s.save()
	s.player.SetTrim(trim)
	return nil
}

// SetChannelMap implements control.Speaker.
func (s *Speaker) SetChannelMap(name string) error {
	m, err := playout.ParseChannelMap(name)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wants.mapping, s.state.ChannelMap = m, m.String()
	s.save()
	s.player.SetChannelMap(m)
	return nil
}

package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-audio/tutti/agent/discovery"
	"github.com/tutti-audio/tutti/agent/session/lan"
	"github.com/tutti-audio/tutti/agent/session/peer"
	"github.com/tutti-audio/tutti/agent/session/remote"
	"github.com/tutti-audio/tutti/agent/source"
	"github.com/tutti-audio/tutti/ostp/describe"
)

// SendConfig is what a source on the network is made of.
type SendConfig struct {
	lan.SenderConfig               // Source and HTTP are filled in
	Input            source.Source // audio to send
	Listen           string        // address:port of its HTTP; port 0: any
	Version          string
	Legacy           bool             // also announce for existing clients
	Relay            *remote.Endpoint // that gets the stream, too; nil: none
	Password         string           // of the channel there
	Turn             bool             // peers may come by a TURN server
}

// Sending is a source on the network: sender, HTTP and announcement.
type Sending struct {
	*lan.Sender
	input   source.Source
	node    *discovery.Node
	service *discovery.Announcement
	server  *http.Server
	uplink  atomic.Pointer[remote.Uplink]
	peers   *peer.Source // nil without a relay
	turn    bool
	address string
	quit    chan struct{}
	wait    sync.WaitGroup
}

// Send starts a source.
func Send(c SendConfig) (*Sending, error) {
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("cannot serve the description on %s: %w; choose another with --http", c.Listen, err)
	}
	s := &Sending{input: c.Input, address: listener.Addr().String(), quit: make(chan struct{}), turn: c.Turn}
	c.HTTP = uint16(listener.Addr().(*net.TCPAddr).Port)
	c.Source = c.Input
	if c.Relay != nil {
		if err := fitsRelay(c); err != nil {
			listener.Close()
			return nil, err
		}
		c.Also = s.toRelay
	}
	if s.Sender, err = lan.NewSender(c.SenderConfig); err != nil {
		listener.Close()
		return nil, err
	}
	s.server = descriptionServer(s.Handler())
	s.wait.Go(func() {
		if err := s.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			c.Log.Error("the description is no longer served", "error", err)
		}
	})
	s.wait.Go(s.followTags)
	if c.Relay != nil {
		s.peers = peer.NewSource(peer.Config{Servers: s.iceServers, Clock: c.Clock, Log: c.Log}, s.signal, s.hearPeer)
		s.uplink.Store(s.newUplink(c))
		s.wait.Go(func() { s.lookAround(c.Log) })
	}
	if err := s.announce(c); err != nil {
		c.Log.Warn("speakers cannot find this source by themselves", "error", err, "instead", "tutti run --source "+s.Address())
	}
	return s, nil
}

func (s *Sending) announce(c SendConfig) (err error) {
	var interfaces []string
	if c.Interface != "" {
		interfaces = []string{c.Interface}
	}
	if s.node, err = discovery.Open(discovery.Config{Interfaces: interfaces, Log: c.Log}); err != nil {
		return err
	}
	d := s.Stream()
	id := strconv.FormatUint(uint64(d.SSRC), 16)
	service := discovery.Service{
		Instance: shortName(d.Channel + " from " + d.Name), Type: describe.ServiceType, Port: d.Port, Text: d.Text(id, c.Name, c.Version),
	}
	if c.Legacy {
		service.Aliases = []string{describe.LegacyUDP, describe.LegacyTCP}
	}
	s.service, err = s.node.Announce(service)
	return err
}

// descriptionServer serves a description, with limits for whoever asks.
func descriptionServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10}
}

// shortName keeps a name within a DNS label.
func shortName(name string) string {
	if len(name) > 63 {
		return strings.ToValidUTF8(name[:63], "")
	}
	return name
}

// tagsEvery is how often the input is asked what it plays.
const tagsEvery = 200 * time.Millisecond

// followTags tells the speakers what is playing whenever that changes.
func (s *Sending) followTags() {
	ticker := time.NewTicker(tagsEvery)
	defer ticker.Stop()
	last := source.Status{Index: -1}
	for {
		if now := s.input.Status(); now.Index != last.Index || now.Input != last.Input || !sameTags(now.Tags, last.Tags) {
			last = now
			s.SetTags(tagsOf(now))
		}
		select {
		case <-s.quit:
			return
		case <-s.Ended():
			return
		case <-ticker.C:
		}
	}
}

func sameTags(a, b source.Tags) bool {
	return a.Title == b.Title && a.Artist == b.Artist && a.Album == b.Album && len(a.Artwork) == len(b.Artwork)
}

// tagsOf says what plays; a file without a title is called by its name.
func tagsOf(now source.Status) lan.Tags {
	t := now.Tags
	if t.Title == "" && now.Live == nil {
		name := filepath.Base(now.Input)
		t.Title = strings.TrimSuffix(name, filepath.Ext(name))
	}
	return lan.Tags{
		Tags:    describe.Tags{Title: t.Title, Artist: t.Artist, Album: t.Album},
		Picture: t.Artwork, PictureType: t.ArtworkType,
	}
}

// Playing returns what the input plays.
func (s *Sending) Playing() source.Status { return s.input.Status() }

// Address returns host:port for tutti run --source.
func (s *Sending) Address() string {
	d := s.Stream()
	return net.JoinHostPort(d.Origin.String(), strconv.Itoa(int(d.HTTP)))
}

// Close ends the announcement, the stream and the server, and waits.
func (s *Sending) Close() error {
	var errs []error
	if s.node != nil {
		errs = append(errs, s.node.Close())
	}
	close(s.quit)
	if u := s.uplink.Load(); u != nil {
		errs = append(errs, s.peers.Close(), u.Close())
	}
	errs = append(errs, s.Sender.Close())
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		errs = append(errs, s.server.Close())
	}
	s.wait.Wait()
	return errors.Join(errs...)
}

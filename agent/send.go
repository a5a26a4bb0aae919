package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/tutti-audio/tutti/agent/discovery"
	"github.com/tutti-audio/tutti/agent/session/lan"
	"github.com/tutti-audio/tutti/agent/source"
	"github.com/tutti-audio/tutti/ostp/describe"
)

// SendConfig is what a source on the network is made of.
type SendConfig struct {
	lan.SenderConfig               // Source and HTTP are filled in
	Input            source.Source // audio to send
	Listen           string        // address:port of its HTTP; port 0: any
	Version          string
	Legacy           bool // also announce for existing clients
}

// Sending is a source on the network: sender, HTTP and announcement.
type Sending struct {
	*lan.Sender
	node    *discovery.Node
	service *discovery.Announcement
	server  *http.Server
	address string
}

// Send starts a source.
func Send(c SendConfig) (*Sending, error) {
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("cannot serve the description on %s: %w; choose another with --http", c.Listen, err)
	}
	s := &Sending{address: listener.Addr().String()}
	c.HTTP = uint16(listener.Addr().(*net.TCPAddr).Port)
	c.Source = c.Input
	if s.Sender, err = lan.NewSender(c.SenderConfig); err != nil {
		listener.Close()
		return nil, err
	}
	s.server = &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10}
	go func() {
		if err := s.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			c.Log.Error("the description is no longer served", "error", err)
		}
	}()
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
		Instance: d.Channel + " from " + d.Name, Type: describe.ServiceType, Port: d.Port, Text: d.Text(id, c.Name, c.Version),
	}
	if len(service.Instance) > 63 {
		service.Instance = service.Instance[:63]
	}
	if c.Legacy {
		service.Aliases = []string{describe.LegacyUDP, describe.LegacyTCP}
	}
	s.service, err = s.node.Announce(service)
	return err
}

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
	errs = append(errs, s.Sender.Close())
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		errs = append(errs, s.server.Close())
	}
	return errors.Join(errs...)
}

package agent

import (
	"strconv"

	"github.com/tutti-audio/tutti/agent/discovery"
	"github.com/tutti-audio/tutti/agent/player"
	"github.com/tutti-audio/tutti/ostp/control"
	"github.com/tutti-audio/tutti/ostp/describe"
)

// announce starts discovery: this speaker becomes visible, and sources and
// speakers become known.
func (s *Speaker) announce(port uint16) error {
	var interfaces []string
	if s.config.Interface != "" {
		interfaces = []string{s.config.Interface}
	}
	node, err := discovery.Open(discovery.Config{Interfaces: interfaces, Log: s.log})
	if err != nil {
		return err
	}
	s.node, s.port = node, port
	browser, err := node.Browse(describe.ServiceType)
	if err != nil {
		return err
	}
	s.wait.Go(func() {
		<-s.quit
		browser.Close()
	})
	s.wait.Go(func() { s.nearby.follow(browser.Events()) })
	s.service, err = node.Announce(s.describe())
	return err
}

// describe is this speaker's service. Callers hold mu, or are New.
func (s *Speaker) describe() discovery.Service {
	service := discovery.Service{Instance: s.wants.name, Type: describe.ServiceType, Port: s.port, Text: s.text(s.port)}
	if s.config.Legacy {
		service.Aliases = []string{describe.LegacyUDP, describe.LegacyTCP}
	}
	return service
}

// rename withdraws the old name and announces the new one. Callers hold mu.
func (s *Speaker) rename() error {
	if s.service == nil {
		return nil
	}
	if err := s.service.Close(); err != nil {
		return err
	}
	service, err := s.node.Announce(s.describe())
	if err == nil {
		s.service = service
	}
	return err
}

// shown is the name that others see: of two speakers with one name, the second is
// "Kitchen (2)". Callers hold mu.
func (s *Speaker) shown() string {
	if s.service != nil {
		if name := s.service.Instance(); name != "" {
			return name
		}
	}
	return s.wants.name
}

// namedSink puts the name that others see into the reports to the source.
type namedSink struct {
	*player.Player
	speaker *Speaker
}

// Report implements lan.Sink.
func (n namedSink) Report(r *control.Receiver, stream *describe.Stream) {
	n.Player.Report(r, stream)
	p := n.Status()
	n.speaker.mu.Lock()
	defer n.speaker.mu.Unlock()
	r.Name = n.speaker.shown()
	n.speaker.sinceAligned(p)
}

// text is this speaker's TXT record.
func (s *Speaker) text(port uint16) map[string]string {
	return map[string]string{
		"txtvers": "1", "role": describe.RoleSpeaker, "id": s.state.ID, "name": s.wants.name, "room": s.wants.room,
		"channel": s.wants.channel, "ver": s.version, "http": strconv.Itoa(int(port)),
	}
}

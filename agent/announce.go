package agent

import (
	"strconv"
	"time"

	"github.com/tutti-audio/tutti/agent/discovery"
	"github.com/tutti-audio/tutti/agent/player"
	"github.com/tutti-audio/tutti/ostp/control"
	"github.com/tutti-audio/tutti/ostp/describe"
	"github.com/tutti-audio/tutti/sync/timebase"
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
	if s.service, err = node.Announce(s.describe()); err != nil {
		return err
	}
	s.wait.Go(s.watchName)
	return nil
}

// describe is this speaker's service. Callers hold mu, or are New.
func (s *Speaker) describe() discovery.Service {
	service := discovery.Service{Instance: s.wants.name, Type: describe.ServiceType, Port: s.port, Text: s.text(s.port)}
	if s.config.Legacy {
		service.Aliases = []string{describe.LegacyUDP, describe.LegacyTCP}
	}
	return service
}

// announceAs renews what is announced: only the text, or after a change of the
// name everything. The network is not waited for under mu.
func (s *Speaker) announceAs(renamed bool) error {
	s.naming.Lock()
	defer s.naming.Unlock()
	s.mu.Lock()
	old, service := s.service, s.describe()
	s.mu.Unlock()
	switch {
	case old == nil:
		return nil
	case !renamed:
		return old.Update(service.Text)
	}
	if err := old.Close(); err != nil {
		return err
	}
	now, err := s.node.Announce(service)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.service, s.shown = now, service.Instance
	return nil
}

// watchName follows the name that others see: of two speakers with one name, the
// second becomes "Kitchen (2)".
func (s *Speaker) watchName() {
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for {
		s.mu.Lock()
		service := s.service
		s.mu.Unlock()
		name := service.Instance()
		s.mu.Lock()
		if name != "" && service == s.service {
			s.shown = name
		}
		s.mu.Unlock()
		select {
		case <-s.quit:
			return
		case <-ticker.C:
		}
	}
}

// namedSink puts the name that others see into the reports to the source.
type namedSink struct {
	*player.Player
	speaker *Speaker
}

// Report implements lan.Sink.
func (n namedSink) Report(r *control.Receiver, stream *describe.Stream) timebase.Local {
	presented := n.Player.Report(r, stream)
	p := n.Status()
	n.speaker.mu.Lock()
	defer n.speaker.mu.Unlock()
	r.Name = n.speaker.shown
	n.speaker.sinceAligned(p)
	return presented
}

// text is this speaker's TXT record.
func (s *Speaker) text(port uint16) map[string]string {
	fit, tag := 0, ""
	if s.config.Gateway && s.relay != nil {
		fit, tag = fitness(s.config.Interface), relayTag(s.relay)
	}
	return map[string]string{
		"gateway": strconv.Itoa(fit), "relay": tag,
		"txtvers": "1", "role": describe.RoleSpeaker, "id": s.state.ID, "name": s.wants.name, "room": s.wants.room,
		"channel": s.wants.channel, "ver": s.version, "http": strconv.Itoa(int(port)),
	}
}

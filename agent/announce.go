package agent

import (
	"strconv"

	"github.com/tutti-audio/tutti/agent/discovery"
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
	service := discovery.Service{Instance: s.wants.name, Type: describe.ServiceType, Port: port, Text: s.text(port)}
	if s.config.Legacy {
		service.Aliases = []string{describe.LegacyUDP, describe.LegacyTCP}
	}
	s.service, err = node.Announce(service)
	return err
}

// text is this speaker's TXT record.
func (s *Speaker) text(port uint16) map[string]string {
	return map[string]string{
		"txtvers": "1", "role": describe.RoleSpeaker, "id": s.state.ID, "name": s.wants.name, "room": s.wants.room,
		"channel": s.wants.channel, "ver": s.version, "http": strconv.Itoa(int(port)),
	}
}

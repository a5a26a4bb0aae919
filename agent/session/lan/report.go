package lan

import (
	"net/netip"
	"strings"
	"time"

	"github.com/tutti-audio/tutti/ostp/control"
)

// report sends the sender's reports to the group and to each copy, and looks after
// leases and addresses.
func (s *Sender) report() {
	tick := time.NewTicker(senderEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-s.quit:
			return
		case now := <-tick.C:
			s.receivers.expire(now)
			s.sendReport()
			if n%int(originEvery/senderEvery) == 0 {
				s.followAddress()
			}
		}
	}
}

func (s *Sender) sendReport() {
	media := s.stream.MediaAt(s.house.at(s.config.Clock.Now()))
	tags := s.tags.Load()
	b, err := control.AppendSender(nil, control.Sender{
		SSRC: s.stream.SSRC, House: s.stream.HouseAt(media), Timestamp: s.stream.Offset + uint32(media),
		Packets: uint32(s.sentPackets.Load()), Octets: uint32(s.sentBytes.Load()),
		Name: s.stream.Name, Note: noteOf(tags),
	})
	if err != nil {
		s.config.Log.Error("cannot build a sender report", "error", err)
		return
	}
	s.multicast(b)
}

// noteOf is the line that tells speakers to fetch the description again.
func noteOf(t *Tags) string {
	parts := make([]string, 0, 2)
	for _, p := range []string{t.Artist, t.Title} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, " – ")
}

// multicast sends RTCP to everybody who listens.
func (s *Sender) multicast(b []byte) {
	if s.stream.Group.IsMulticast() {
		_, _ = s.media.Load().WriteToUDPAddrPort(b, netip.AddrPortFrom(s.stream.Group, s.stream.RTCP))
	}
	for _, to := range s.receivers.reporters() {
		_, _ = s.media.Load().WriteToUDPAddrPort(b, to)
	}
}

func (s *Sender) goodbye() {
	if b, err := control.AppendGoodbye(nil, s.stream.SSRC); err == nil {
		s.multicast(b)
	}
}

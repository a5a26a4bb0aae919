package lan

import (
	"net/netip"
	"strings"
	"time"

	"github.com/tutti-audio/tutti/ostp/control"
)

// report sends the sender's reports to the group and to each copy, and looks after
// leases and addresses.
func (o *outlet) report() {
	tick := time.NewTicker(senderEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-o.quit:
			return
		case <-o.tell:
			o.sendReport()
			n--
		case now := <-tick.C:
			o.receivers.expire(now)
			o.sendReport()
			if n%int(originEvery/senderEvery) == 0 {
				o.followAddress()
			}
		}
	}
}

func (o *outlet) sendReport() {
	if !o.heard() {
		return
	}
	now := o.now()
	leg := o.leg(now)
	media := o.stream.MediaAt(leg.At(now))
	tags := o.tags.Load()
	b, err := control.AppendSender(nil, control.Sender{
		SSRC: o.stream.SSRC, House: leg.HouseAt(o.stream.HouseAt(media)), Timestamp: o.stream.Offset + uint32(media),
		Packets: uint32(o.sentPackets.Load()), Octets: uint32(o.sentBytes.Load()),
		Name: o.stream.Name, Note: noteOf(tags), Gateway: o.said(),
	})
	if err != nil {
		o.log.Error("cannot build a sender report", "error", err)
		return
	}
	o.multicast(b)
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
func (o *outlet) multicast(b []byte) {
	if o.stream.Group.IsMulticast() {
		_, _ = o.media.Load().WriteToUDPAddrPort(b, netip.AddrPortFrom(o.stream.Group, o.stream.RTCP))
	}
	for _, to := range o.receivers.reporters() {
		_, _ = o.media.Load().WriteToUDPAddrPort(b, to)
	}
}

func (o *outlet) goodbye() {
	if b, err := control.AppendGoodbye(nil, o.stream.SSRC); err == nil {
		o.multicast(b)
	}
}

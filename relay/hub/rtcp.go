package hub

import "encoding/binary"

const (
	reportEvery  = 100e6 // ns for each RTCP packet of a member
	reportBurst  = 20
	reportsEvery = 2e6 // ns for each that the source is given, of all members
	reportsBurst = 200
)

// wholeRTCP reports whether b is packets of version 2 whose lengths add up.
func wholeRTCP(b []byte) bool {
	for len(b) >= 4 && b[0]>>6 == 2 {
		n := 4 * (int(binary.BigEndian.Uint16(b[2:])) + 1)
		if n > len(b) {
			return false
		}
		if b = b[n:]; len(b) == 0 {
			return true
		}
	}
	return false
}

// report passes on what the source tells all, and what members tell the source.
func (w *worker) report(m *member, b []byte, now int64) {
	if !wholeRTCP(b) {
		w.counts.Foreign.Add(1)
		return
	}
	m.seen.Store(now)
	c := m.channel
	source := c.floor.Load()
	switch {
	case source == nil || !m.reports.allow(now, reportEvery, reportBurst):
		w.counts.Limited.Add(1)
	case source.same(m):
		w.counts.Reports.Add(1)
		a := c.audience.Load()
		w.fan.SendAll(b, a.plain, m.name, source.name)
		w.forwardSealed(a.sealed, b, m.name, source.name)
		w.forwardOthers(a, m, b)
	case c.reports.allow(now, reportsEvery, reportsBurst):
		w.counts.Reports.Add(1)
		w.pass(source, b)
	}
}

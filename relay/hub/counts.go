package hub

import "sync/atomic"

// counts is what a worker, or the hub, has seen.
type counts struct {
	PacketsIn, BytesIn, PacketsOut, BytesOut  atomic.Uint64 // media
	Lines, Joins, Answers                     atomic.Uint64
	Challenged, ChallengedNot, Proved         atomic.Uint64
	BadCRC, Foreign, Strangers, BadLines      atomic.Uint64
	Refused, Duplicates, Dropped, Unreachable atomic.Uint64
	NACKs, Resent, Lacking, NACKsOver         atomic.Uint64
	Probes, Signals, Limited, Expired         atomic.Uint64
	SocketErrors, Reports, Forged             atomic.Uint64
	Bindings                                  atomic.Uint64
}

// Count is one counter as metrics tell it.
type Count struct {
	Name, Help string
	Value      uint64
}

type counter struct {
	name, help string
	of         func(*counts) *atomic.Uint64
}

func counters() []counter {
	return []counter{
		{"packets_received_total", "media packets of members, CRC good", func(c *counts) *atomic.Uint64 { return &c.PacketsIn }},
		{"bytes_received_total", "bytes of those packets", func(c *counts) *atomic.Uint64 { return &c.BytesIn }},
		{"packets_sent_total", "copies sent to members", func(c *counts) *atomic.Uint64 { return &c.PacketsOut }},
		{"bytes_sent_total", "bytes of those copies", func(c *counts) *atomic.Uint64 { return &c.BytesOut }},
		{"lines_total", "control lines", func(c *counts) *atomic.Uint64 { return &c.Lines }},
		{"joins_total", "JOINs that were granted, repeated ones included", func(c *counts) *atomic.Uint64 { return &c.Joins }},
		{"answers_total", "lines sent", func(c *counts) *atomic.Uint64 { return &c.Answers }},
		{"challenges_total", "challenges sent to addresses that had not proved themselves", func(c *counts) *atomic.Uint64 { return &c.Challenged }},
		{"challenges_withheld_total", "challenges not sent, being longer than what came", func(c *counts) *atomic.Uint64 { return &c.ChallengedNot }},
		{"proved_total", "challenges echoed", func(c *counts) *atomic.Uint64 { return &c.Proved }},
		{"bad_crc_total", "packets with a wrong CRC", func(c *counts) *atomic.Uint64 { return &c.BadCRC }},
		{"foreign_total", "datagrams that are nothing known", func(c *counts) *atomic.Uint64 { return &c.Foreign }},
		{"strangers_total", "media of addresses that are not members", func(c *counts) *atomic.Uint64 { return &c.Strangers }},
		{"bad_lines_total", "lines that could not be read", func(c *counts) *atomic.Uint64 { return &c.BadLines }},
		{"refused_total", "packets of members that may not send, or not now", func(c *counts) *atomic.Uint64 { return &c.Refused }},
		{"duplicates_total", "packets that came again", func(c *counts) *atomic.Uint64 { return &c.Duplicates }},
		{"dropped_total", "packets beyond a source's limit", func(c *counts) *atomic.Uint64 { return &c.Dropped }},
		{"unsent_total", "copies that the kernel did not take", func(c *counts) *atomic.Uint64 { return &c.Unreachable }},
		{"nacks_total", "NACKs", func(c *counts) *atomic.Uint64 { return &c.NACKs }},
		{"resent_total", "packets sent again from the ring", func(c *counts) *atomic.Uint64 { return &c.Resent }},
		{"lacking_total", "packets asked of the source, because the ring lacked them", func(c *counts) *atomic.Uint64 { return &c.Lacking }},
		{"nacks_limited_total", "sequence numbers asked for beyond a member's limit", func(c *counts) *atomic.Uint64 { return &c.NACKsOver }},
		{"probes_total", "clock probes answered", func(c *counts) *atomic.Uint64 { return &c.Probes }},
		{"bindings_total", "STUN requests answered on the UDP port", func(c *counts) *atomic.Uint64 { return &c.Bindings }},
		{"signals_total", "SIGNAL lines passed on", func(c *counts) *atomic.Uint64 { return &c.Signals }},
		{"limited_total", "lines beyond a limit", func(c *counts) *atomic.Uint64 { return &c.Limited }},
		{"expired_total", "members that fell silent", func(c *counts) *atomic.Uint64 { return &c.Expired }},
		{"reports_total", "RTCP packets passed on", func(c *counts) *atomic.Uint64 { return &c.Reports }},
		{"forged_total", "SRTP packets that failed their check, or came twice", func(c *counts) *atomic.Uint64 { return &c.Forged }},
		{"socket_errors_total", "errors of the UDP sockets", func(c *counts) *atomic.Uint64 { return &c.SocketErrors }},
	}
}

// Counts returns every counter, summed over the workers.
func (h *Hub) Counts() []Count {
	all := []*counts{&h.counts, &h.others.counts}
	for _, w := range h.workers {
		all = append(all, &w.counts)
	}
	var list []Count
	for _, c := range counters() {
		n := Count{Name: c.name, Help: c.help}
		for _, from := range all {
			n.Value += c.of(from).Load()
		}
		list = append(list, n)
	}
	return list
}

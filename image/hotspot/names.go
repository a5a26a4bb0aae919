package hotspot

import (
	"net/netip"

	"github.com/miekg/dns"
)

// nameTTL is short, in seconds: the answer is wrong as soon as the phone is back in
// its own network.
const nameTTL = 1

// Answer answers a question about any name with the one address; what is no address
// does not exist. What is not a question of that kind is refused.
func Answer(query *dns.Msg, address netip.Addr) *dns.Msg {
	m := new(dns.Msg)
	m.SetReply(query)
	m.Authoritative = true
	switch {
	case query.Response:
		return nil
	case query.Opcode != dns.OpcodeQuery:
		m.Rcode = dns.RcodeNotImplemented
		return m
	case len(query.Question) != 1 || query.Question[0].Qclass != dns.ClassINET:
		m.Rcode = dns.RcodeRefused
		return m
	}
	if q := query.Question[0]; q.Qtype == dns.TypeA {
		m.Answer = []dns.RR{&dns.A{
			Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: nameTTL}, A: address.AsSlice(),
		}}
	}
	return m
}

// Names is Answer as a handler.
func Names(address netip.Addr) dns.Handler {
	return dns.HandlerFunc(func(w dns.ResponseWriter, query *dns.Msg) {
		if m := Answer(query, address); m != nil {
			_ = w.WriteMsg(m)
		}
	})
}

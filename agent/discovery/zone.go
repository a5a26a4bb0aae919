package discovery

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/mdns"
	"github.com/miekg/dns"
)

// The lives of records, RFC 6762 section 10: short for what has a host's name or
// address in it.
const (
	hostLife  = 120 * time.Second
	otherLife = 75 * time.Minute
)

// flush is the cache-flush bit of a record's class, and in a question's class
// the wish for a unicast answer.
const flush = 1 << 15

// record is one of ours on one link.
type record struct {
	rr     dns.RR // without the cache-flush bit
	name   name
	data   string
	unique bool
	lasts  bool         // other hosts or services may share it: never withdrawn
	extra  []*record    // goes along as additional records
	sent   [2]time.Time // when it was last multicast, by family
	due    [2]time.Time // when it is to be multicast; zero: not at all
}

// check validates what a caller wants to announce.
func (s Service) check() error {
	if s.Instance == "" || len(s.Instance) > 63 || !utf8.ValidString(s.Instance) {
		return fmt.Errorf("discovery: instance name %q: use 1 to 63 bytes of UTF-8", s.Instance)
	}
	if s.Port == 0 {
		return errors.New("discovery: a service needs a port")
	}
	seen := map[string]bool{}
	for _, t := range s.types() {
		if err := checkType(t); err != nil {
			return err
		}
		if seen[strings.ToLower(t)] {
			return fmt.Errorf("discovery: service type %s is there twice; name it once", t)
		}
		seen[strings.ToLower(t)] = true
	}
	_, err := encodeText(s.Text)
	return err
}

// types returns the type and its aliases.
func (s Service) types() []string { return append([]string{s.Type}, s.Aliases...) }

// checkType accepts what looks like "_ostp._udp".
func checkType(t string) error {
	labels := strings.Split(t, ".")
	ok := len(labels) == 2 && (strings.EqualFold(labels[1], "_udp") || strings.EqualFold(labels[1], "_tcp"))
	if ok {
		l := labels[0]
		ok = len(l) >= 2 && len(l) <= 16 && l[0] == '_' && hostLabel(l[1:]) == l[1:]
	}
	if !ok {
		return fmt.Errorf("discovery: service type %q: use the form \"_ostp._udp\", with at most 15 letters, digits and hyphens", t)
	}
	return nil
}

// instanceName returns the presentation form of an instance's full name.
func instanceName(instance, typ string) string { return escapeLabel(instance) + "." + typ + ".local." }

// makeRecords returns all records of a service on a link with these addresses.
// A life of 0 means the RFC's.
func makeRecords(s Service, instance, host string, addrs []netip.Prefix, life time.Duration) ([]*record, error) {
	text, err := encodeText(s.Text)
	if err != nil {
		return nil, err
	}
	ips := make([]net.IP, len(addrs))
	for i, a := range addrs {
		ips[i] = a.Addr().AsSlice()
	}
	if len(ips) == 0 {
		return nil, errors.New("discovery: a link without addresses cannot be announced on")
	}
	set := &recordSet{life: life, have: map[string]*record{}}
	for _, typ := range s.types() {
		// The library looks addresses up when it is given none.
		zone, err := mdns.NewMDNSService(escapeLabel(instance), typ, "local.", host, int(s.Port), ips, text)
		if err != nil {
			return nil, fmt.Errorf("discovery: %s %q: %w", typ, instance, err)
		}
		set.addZone(zone, typ)
	}
	return set.all, nil
}

// recordSet gathers records without repeating any.
type recordSet struct {
	life time.Duration
	all  []*record
	have map[string]*record
}

// addZone adds all that a zone of hashicorp/mdns has for its service.
func (s *recordSet) addZone(zone mdns.Zone, typ string) {
	enum := s.add(zone.Records(dns.Question{Name: "_services._dns-sd._udp.local.", Qtype: dns.TypePTR})...)
	for _, r := range enum {
		r.lasts = true
	}
	rest := s.add(zone.Records(dns.Question{Name: typ + ".local.", Qtype: dns.TypePTR})...)
	var service, host []*record
	for _, r := range rest {
		switch r.rr.(type) {
		case *dns.SRV, *dns.TXT:
			service = append(service, r)
		case *dns.A, *dns.AAAA:
			host = append(host, r)
		}
	}
	noOther := s.add(denials(rest)...)
	for _, r := range rest {
		switch r.rr.(type) {
		case *dns.PTR:
			r.extra = slices.Concat(service, host, noOther)
		case *dns.SRV, *dns.A, *dns.AAAA:
			r.extra = slices.Concat(host, noOther)
		}
	}
}

// denials returns the NSEC records that say which types our unique names have,
// RFC 6762 section 6.1.
func denials(records []*record) []dns.RR {
	types := map[string][]uint16{}
	var order []string
	for _, t := range []uint16{dns.TypeA, dns.TypeTXT, dns.TypeAAAA, dns.TypeSRV} { // ascending
		for _, r := range records {
			if h := r.rr.Header(); h.Rrtype == t && r.unique {
				if len(types[h.Name]) == 0 {
					order = append(order, h.Name)
				}
				if n := len(types[h.Name]); n == 0 || types[h.Name][n-1] != t {
					types[h.Name] = append(types[h.Name], t)
				}
			}
		}
	}
	var out []dns.RR
	for _, owner := range order {
		out = append(out, &dns.NSEC{
			Hdr:        dns.RR_Header{Name: owner, Rrtype: dns.TypeNSEC, Class: dns.ClassINET},
			NextDomain: owner, TypeBitMap: types[owner],
		})
	}
	return out
}

// add takes records over and returns them as ours.
func (s *recordSet) add(rrs ...dns.RR) []*record {
	var out []*record
	for _, rr := range rrs {
		h := rr.Header()
		life := otherLife
		switch h.Rrtype {
		case dns.TypeSRV, dns.TypeA, dns.TypeAAAA, dns.TypeNSEC:
			life = hostLife
		}
		if s.life > 0 {
			life = s.life
		}
		h.Ttl = uint32(life / time.Second)
		r := &record{rr: rr, name: nameOf(h.Name), data: rdata(rr), unique: h.Rrtype != dns.TypePTR}
		switch h.Rrtype {
		case dns.TypeA, dns.TypeAAAA, dns.TypeNSEC:
			r.lasts = true
		}
		id := fmt.Sprint(h.Rrtype, r.name, r.data)
		if known := s.have[id]; known != nil {
			out = append(out, known)
			continue
		}
		s.have[id] = r
		s.all = append(s.all, r)
		out = append(out, r)
	}
	return out
}

// wire returns a copy of the record for a multicast answer with the given life.
func (r *record) wire(life uint32) dns.RR {
	rr := dns.Copy(r.rr)
	rr.Header().Ttl = life
	if r.unique {
		rr.Header().Class |= flush
	}
	return rr
}

// life returns the record's life in seconds.
func (r *record) life() uint32 { return r.rr.Header().Ttl }

// clone returns a copy that shares nothing with the caller's.
func (s Service) clone() Service {
	s.Aliases, s.Text = slices.Clone(s.Aliases), maps.Clone(s.Text)
	return s
}

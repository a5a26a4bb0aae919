package clockmsg

import (
	"time"

	"github.com/tutti-audio/tutti/sync/timebase"
)

// remembered is how many answers a server knows the transmit stamp of. A client
// asks again within seconds, so this serves hundreds of clients, and a flood of
// requests can only push others back to basic mode.
const remembered = 4096

// Server answers time requests. The zero value is ready.
type Server struct {
	sent    map[Timestamp]int // receive stamp → slot
	ring    [remembered]exchange
	next    int
	latency time.Duration // from asking the clock to the kernel's transmit stamp
}

type exchange struct {
	received Timestamp
	sent     Timestamp // 0 until the kernel has told
}

// Respond appends the answer to a request that arrived at received and is
// answered at now. The key names this answer to Transmitted.
func (s *Server) Respond(dst, request []byte, received, now timebase.House) (answer []byte, key Timestamp, err error) {
	m, err := parseMessage(request, modeClient)
	if err != nil {
		return dst, 0, err
	}
	r := message{mode: modeServer, origin: m.transmit, transmit: FromHouse(now.Add(s.latency))}
	if slot, known := s.sent[m.origin]; known && m.origin != 0 && s.ring[slot].sent != 0 {
		r.origin, r.transmit = m.receive, s.ring[slot].sent // interleaved
	}
	r.receive = s.remember(FromHouse(received))
	return appendMessage(dst, r), r.receive, nil
}

// remember files a receive stamp, made unique by adding the smallest fraction.
func (s *Server) remember(received Timestamp) Timestamp {
	if s.sent == nil {
		s.sent = make(map[Timestamp]int, remembered)
	}
	for {
		if _, taken := s.sent[received]; !taken {
			break
		}
		received++
	}
	delete(s.sent, s.ring[s.next].received)
	s.ring[s.next] = exchange{received: received}
	s.sent[received] = s.next
	s.next = (s.next + 1) % remembered
	return received
}

// Transmitted tells when the answer named key really left. asked is the now that
// was given to Respond: the difference makes the answers of basic mode better.
func (s *Server) Transmitted(key Timestamp, asked, at timebase.House) {
	slot, known := s.sent[key]
	late := at.Sub(asked)
	if !known || late < 0 || late > time.Second {
		return
	}
	s.ring[slot].sent = FromHouse(at)
	s.latency += (min(late, time.Millisecond) - s.latency) / 8
}

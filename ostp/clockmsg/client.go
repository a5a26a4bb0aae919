package clockmsg

import (
	"time"

	"github.com/tutti-audio/tutti/sync/timebase"
)

// outstanding is how many requests may await their answers at once.
const outstanding = 16

// Sample is one completed exchange: the request left at T1 and arrived at T2, the
// answer left at T3 and arrived at T4.
type Sample struct {
	T1, T4      timebase.Local
	T2, T3      timebase.House
	Interleaved bool // T3 is the kernel's own stamp
}

// RoundTrip is the time both messages spent on the way.
func (s Sample) RoundTrip() time.Duration { return s.T4.Sub(s.T1) - s.T3.Sub(s.T2) }

// Client asks. The zero value is ready.
type Client struct {
	asked [outstanding]request
	next  int
	last  answered
}

type request struct {
	basic, interleaved Timestamp // random; the answer's origin is one of them
	left               timebase.Local
	before             answered // the answer that an interleaved reply completes
}

type answered struct {
	t1, t4  timebase.Local
	receive Timestamp // T2; 0 when there is none
}

// Request appends a request that leaves at now. The two random numbers must be
// new, unpredictable and not zero; the first also names it to Transmitted.
func (c *Client) Request(dst []byte, basic, interleaved uint64, now timebase.Local) []byte {
	c.asked[c.next] = request{
		basic: Timestamp(basic), interleaved: Timestamp(interleaved), left: now, before: c.last,
	}
	c.next = (c.next + 1) % outstanding
	return appendMessage(dst, message{
		mode: modeClient, origin: c.last.receive, receive: Timestamp(interleaved), transmit: Timestamp(basic),
	})
}

// Transmitted tells when the request really left.
func (c *Client) Transmitted(basic uint64, at timebase.Local) {
	for i := range c.asked {
		if r := &c.asked[i]; r.basic == Timestamp(basic) {
			r.left = at
			return
		}
	}
}

// Response reads an answer that arrived at received. ok is false, without an
// error, for an answer to no open request: late, doubled or forged.
func (c *Client) Response(b []byte, received timebase.Local) (s Sample, ok bool, err error) {
	m, err := parseMessage(b, modeServer)
	if err != nil {
		return Sample{}, false, err
	}
	for i := range c.asked {
		r := &c.asked[i]
		if m.origin == 0 || m.origin != r.basic && m.origin != r.interleaved {
			continue
		}
		s := Sample{T1: r.left, T4: received, T2: m.receive.House(), T3: m.transmit.House()}
		if m.origin == r.interleaved {
			if r.before.receive == 0 {
				return Sample{}, false, nil
			}
			s = Sample{T1: r.before.t1, T4: r.before.t4, T2: r.before.receive.House(), T3: m.transmit.House(), Interleaved: true}
		}
		c.last = answered{t1: r.left, t4: received, receive: m.receive}
		*r = request{}
		return s, s.RoundTrip() >= 0, nil
	}
	return Sample{}, false, nil
}

// Pending counts requests that no answer has come to.
func (c *Client) Pending() (n int) {
	for i := range c.asked {
		if c.asked[i].basic != 0 {
			n++
		}
	}
	return n
}

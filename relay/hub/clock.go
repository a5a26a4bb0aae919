package hub

import "sync/atomic"

// maxStep is how far the host's clock may move between two looks at it, in ns. A
// machine that was suspended, or a process that was stopped, has heard nobody
// meanwhile, so no member may be held to be gone for that.
const maxStep = 2e9

// clock is the hub's time: the host's monotonic clock without its jumps. follow is
// called by one goroutine, several times a second.
type clock struct {
	host    func() int64
	skipped atomic.Int64
	last    int64
}

func newClock(host func() int64) *clock { return &clock{host: host, last: host()} }

func (c *clock) now() int64 { return c.host() - c.skipped.Load() }

// follow takes out what the clock has jumped since the last call, and returns it.
func (c *clock) follow() (jump int64) {
	host := c.host()
	if step := host - c.last; step > maxStep || step < 0 {
		jump = step
		c.skipped.Add(step)
	}
	c.last = host
	return jump
}

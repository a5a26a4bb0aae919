package output

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jfreymuth/pulse/proto"
	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/sync/timebase"
)

// How often the server is asked for the stream's timing: often at first, since
// playout begins by the first answers.
const (
	pollFast  = 10 * time.Millisecond
	pollSlow  = 100 * time.Millisecond
	fastPolls = 50
)

// An answer that takes longer than slow, because a thread of the server's or ours
// had to wait, is of no use while there is a reading that is not yet old.
const (
	slow = 500 * time.Microsecond
	old  = time.Second
)

// poll keeps the reading fresh until the connection ends.
func (p *pulse) poll() {
	timer := time.NewTimer(pollFast)
	defer timer.Stop()
	last, since, started := timebase.Card(0), p.clock.Now(), false
	for n := 0; ; n++ {
		select {
		case <-p.conn.gone:
			return
		case <-timer.C:
		}
		taken, err := p.ask()
		if now := p.clock.Now(); taken != last {
			if !started {
				close(p.started)
				started, n = true, 0
			}
			last, since = taken, now
		} else if err == nil && now.Sub(since) > pulseStuck {
			err = errors.New("the sink takes no sound")
		}
		if err != nil {
			p.conn.lose(err)
			return
		}
		timer.Reset(pollSlow)
		if n < fastPolls || !started {
			timer.Reset(pollFast)
		}
	}
}

// ask makes a reading and returns how many frames the sink had taken.
func (p *pulse) ask() (taken timebase.Card, err error) {
	var reply proto.GetPlaybackLatencyReply
	before := p.clock.Now()
	if err := p.conn.client.Request(&proto.GetPlaybackLatency{StreamIndex: p.stream}, &reply); err != nil {
		return 0, fmt.Errorf("the PulseAudio server does not tell the time: %w", err)
	}
	after := p.clock.Now()
	waiting := time.Duration(reply.Latency+1) * time.Microsecond
	played := float64(reply.ReadIndex/pulseFrame) - waiting.Seconds()*float64(p.format.Rate)
	r := pulseReading{played: timebase.Card(math.Floor(played)), at: p.stamped(reply.ReplyTime, before, after)}
	last := p.reading.Load()
	if last == nil || r.at > last.at && (after.Sub(before) <= slow || r.at.Sub(last.at) > old) {
		p.reading.Store(&r)
	}
	return timebase.Card(reply.ReadIndex / pulseFrame), nil
}

// stamped turns the server's stamp, a wall-clock time, into local time. One that
// does not lie between question and answer is another host's, or the wall clock
// was stepped: then the answer's arrival has to do.
func (p *pulse) stamped(t proto.Time, before, after timebase.Local) timebase.Local {
	wall := int64(t.Seconds)*1e9 + (int64(t.Microseconds)+1)*1e3
	at, ok := p.clock.FromRealtime(unix.NsecToTimespec(wall))
	if !ok || at < before || at > after {
		return after
	}
	return at
}

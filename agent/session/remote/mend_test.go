package remote

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/fec"
	"github.com/tutti-audio/tutti/sync/arrival"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const ms = time.Millisecond

// wire is a simulated source, relay and listener: what one sends is lost or comes to
// the other a way later. The relay is beside the source.
type wire struct {
	loss          float64
	burst         time.Duration // of loss, one a second
	way, packet   time.Duration
	latency       time.Duration
	jitter        time.Duration // mean
	random        *rand.Rand
	now           timebase.Local
	coming, going []letter

	heal healing
	sent [][]byte // by the source, by sequence

	gaps      gaps
	buffer    buffer
	clock     arrival.Clock
	decoder   fec.Decoder
	trip      time.Duration
	known     map[uint32]bool
	before    [3]uint64 // expected, lost, given up at the last report
	share     float64
	told      timebase.Local
	given     uint64
	recovered uint64

	copies, played, missed int // since counting began
	counting               bool
}

type letter struct {
	at      timebase.Local
	packet  []byte
	asked   []uint16
	report  fec.Listener
	reports bool
}

func newLine(loss float64, burst, latency, way time.Duration) *wire {
	l := &wire{loss: loss, burst: burst, way: way, trip: 2 * way, packet: 5 * ms / 2, latency: latency, random: rand.New(rand.NewPCG(5, 6)), known: map[uint32]bool{}}
	if latency > 40*ms {
		l.packet = 5 * ms
	}
	l.gaps.packet, l.buffer.device = l.packet, queue(latency)
	return l
}

// pass sends d by the line.
func (l *wire) pass(to *[]letter, d letter) {
	if l.random.Float64() < l.loss || l.burst > 0 && time.Duration(l.now)%time.Second < l.burst {
		return
	}
	d.at = l.now.Add(l.way + time.Duration(l.random.ExpFloat64()*float64(l.jitter)))
	*to = append(*to, d)
}

// arrived takes out what has come by now.
func (l *wire) arrived(from *[]letter) (all []letter) {
	*from = slices.DeleteFunc(*from, func(d letter) bool {
		if d.at <= l.now {
			all = append(all, d)
		}
		return d.at <= l.now
	})
	return all
}

// run lets time pass, by half milliseconds.
func (l *wire) run(t *testing.T, d time.Duration) {
	t.Helper()
	for end := l.now.Add(d); l.now < end; l.now = l.now.Add(ms / 2) {
		for time.Duration(len(l.sent))*l.packet <= time.Duration(l.now) {
			l.send(t)
		}
		for _, d := range l.arrived(&l.going) {
			l.answer(d)
		}
		for _, d := range l.arrived(&l.coming) {
			l.hear(t, d.packet)
		}
		if asked := l.gaps.due(nil, l.now, l.path()); len(asked) > 0 {
			l.pass(&l.going, letter{asked: asked})
		}
		if due := l.now.Sub(l.told); due > time.Second || due > leastReport && l.gaps.lost > l.given {
			l.report()
		}
		l.play()
	}
}

func (l *wire) path() path { return path{trip: l.trip, usable: l.buffer.usable()} }

// send is the source's next packet, and its parity.
func (l *wire) send(t *testing.T) {
	n := len(l.sent)
	p := ostp.Packet{MediaTimestamp: uint32(timebase.Frames(time.Duration(n) * l.packet)), Payload: []byte{byte(n), byte(n >> 8), 3}}
	p.SetSequence(uint32(n))
	b, err := ostp.AppendPacket(nil, &p)
	if err != nil {
		t.Fatal(err)
	}
	l.sent = append(l.sent, b)
	for _, b := range append([][]byte{b}, l.heal.with(b)...) {
		l.copy(b)
	}
}

// copy is what the relay sends to the listener.
func (l *wire) copy(b []byte) {
	if l.counting {
		l.copies++
	}
	l.pass(&l.coming, letter{packet: b})
}

// answer is what relay and source do with what the listener says.
func (l *wire) answer(d letter) {
	for _, low := range d.asked {
		head := uint32(len(l.sent) - 1)
		if back := uint16(head) - low; int(back) < len(l.sent) {
			l.copy(l.sent[head-uint32(back)])
		}
	}
	if d.reports {
		now := time.Unix(0, int64(l.now))
		l.heal.adapter.Report(1, d.report, now)
		l.heal.shape(l.packet, l.latency, now)
	}
}

// hear is the listener's side.
func (l *wire) hear(t *testing.T, b []byte) {
	var p ostp.Packet
	if err := ostp.ParsePacket(&p, b); err != nil {
		t.Fatal(err)
	}
	if ostp.PayloadType(p.PayloadType) != ostp.FEC {
		l.accept(&p, false)
		for _, found := range l.decoder.AddData(&p) {
			l.accept(&found, true)
		}
		return
	}
	found, err := l.decoder.AddParity(&p)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		l.accept(&f, true)
	}
}

func (l *wire) accept(p *ostp.Packet, recovered bool) {
	sent := timebase.House(timebase.Media(p.MediaTimestamp).Duration())
	if recovered {
		l.recovered++
	}
	turn := l.now
	if l.clock.Packets() > 0 {
		turn = l.now.Add(-l.clock.HouseAt(l.now).Sub(sent))
	}
	if !l.gaps.note(p.Sequence(), turn, l.now, recovered) && !recovered {
		l.buffer.came(l.clock.Add(sent, l.now), l.now)
	}
	l.buffer.length(&l.clock, l.latency, l.buffer.mend(l.packet, l.trip, l.now), false, l.now)
	l.known[p.Sequence()] = true
}

func (l *wire) report() {
	g := &l.gaps
	now := [3]uint64{g.expect, g.lost + g.came + l.recovered, g.lost}
	if n := float64(now[0] - l.before[0]); n > 0 {
		l.share = float64(now[1]-l.before[1]) / n
		l.buffer.account(l.share, float64(now[2]-l.before[2])/n, l.path().again(), l.now)
	}
	l.pass(&l.going, letter{reports: true, report: fec.Listener{
		Loss: l.share, Burst: time.Duration(g.longest()) * l.packet, Given: int(g.lost - l.given),
		Mend: max(l.path().usable-l.clock.Delay(missShare), time.Microsecond), Asks: g.asks(l.path()),
	}})
	l.before, l.told, l.given = now, l.now, g.lost
}

// play counts whether each packet is known when it is of use for the last time.
func (l *wire) play() {
	for n := l.played + l.missed; ; n++ {
		turn := timebase.Local(time.Duration(n)*l.packet + l.way)
		if turn.Add(l.buffer.usable()) > l.now {
			return
		}
		if l.known[uint32(n)] || !l.counting {
			l.played++
		} else {
			l.missed++
		}
		delete(l.known, uint32(n))
	}
}

// What is lost at random or in bursts comes back in time, at the stream's latency, for
// a share more that is bearable. The figures are for this seed; their limits leave room.
func TestMending(t *testing.T) {
	for _, c := range []struct {
		loss         float64
		burst        time.Duration
		latency, way time.Duration
		missed, over float64 // percent, at most
	}{
		{0.01, 0, 40 * ms, 10 * ms, 0.02, 10},
		{0.05, 0, 40 * ms, 10 * ms, 0.1, 50},
		{0.05, 0, 40 * ms, 25 * ms, 0.1, 60},
		{0.10, 0, 40 * ms, 10 * ms, 0.3, 110},
		{0.05, 0, 100 * ms, 10 * ms, 0.02, 20},
		{0.20, 0, 100 * ms, 10 * ms, 0.2, 110},
		{0.20, 0, 300 * ms, 10 * ms, 0.02, 40},
		{0.20, 0, 300 * ms, 50 * ms, 0.1, 110},
		{0, 100 * ms, 300 * ms, 10 * ms, 0.02, 20},
	} {
		l := newLine(c.loss, c.burst, c.latency, c.way)
		l.run(t, 6*time.Second)
		l.counting, l.missed = true, 0
		packets := len(l.sent)
		l.run(t, 60*time.Second)
		packets = len(l.sent) - packets
		missed, over := 100*float64(l.missed)/float64(packets), 100*(float64(l.copies)/float64(packets)-1)
		t.Logf("%.0f %%, bursts of %v, %v, way %v: %.3f %% missed, %.0f %% more sent, %v in the buffer; asks %d", 100*c.loss, c.burst, c.latency, c.way,
			missed, over, l.buffer.actual, l.gaps.asks(l.path()))
		if missed > c.missed || over > c.over {
			t.Errorf("%.0f %%, bursts of %v, %v, way %v: %.3f %% missed, %.0f %% more sent; want %g, %g", 100*c.loss, c.burst, c.latency, c.way, missed, over, c.missed, c.over)
		}
	}
}

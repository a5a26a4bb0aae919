package merge

import (
	"math"
	"math/rand/v2"
	"sort"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/codec"
	"github.com/tutti-audio/tutti/ostp/control"
	"github.com/tutti-audio/tutti/ostp/describe"
	"github.com/tutti-audio/tutti/sync/arrival"
	"github.com/tutti-audio/tutti/sync/offset"
	"github.com/tutti-audio/tutti/sync/playout"
	"github.com/tutti-audio/tutti/sync/servo"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const (
	epoch   = timebase.House(1_763_800_000e9)
	latency = 300 * time.Millisecond
	frames  = 240 // of a packet
	turn    = 10 * time.Millisecond
)

// house is a simulated speaker: a perfect card, a player, a sender 40 ppm fast, and
// paths of which each has a way and queues of its own.
type house struct {
	t        *testing.T
	engine   *playout.Engine
	drain    func()
	encoder  codec.Encoder
	now      timebase.Local
	rendered timebase.Card
	sent     int
	random   *rand.Rand
	ways     []*way
	stopped  int
	rough    float64
	tail     []float32
}

const drift = 40e-6

// houseAt is the sender's true time.
func houseAt(l timebase.Local) timebase.House {
	return epoch + timebase.House(float64(l)*(1+drift))
}

func localAt(h timebase.House) timebase.Local {
	return timebase.Local(float64(h-epoch) / (1 + drift))
}

func (h *house) Start(f playout.Format, drain func()) error {
	h.drain = drain
	return h.engine.Start(f)
}
func (h *house) Push(p *ostp.Packet, arrived timebase.Local) {
	h.engine.Push(p.Sequence(), p.MediaTimestamp, p.Marker, p.Payload, arrived)
}
func (h *house) SetClock(e offset.Estimate)                                { h.engine.SetClock(e) }
func (h *house) Stop()                                                     { h.stopped++ }
func (h *house) Sync()                                                     {}
func (h *house) Report(*control.Receiver, *describe.Stream) timebase.Local { return 0 }

// way is a path as the network makes it.
type way struct {
	path    *Path
	house   *house
	exact   bool
	least   time.Duration
	queue   time.Duration // mean
	clock   arrival.Clock
	waiting []arriving
	open    bool
	started bool
}

type arriving struct {
	at     timebase.Local
	packet ostp.Packet
}

func newHouse(t *testing.T) *house {
	h := &house{t: t, random: rand.New(rand.NewPCG(11, 12))}
	h.engine = playout.New(servo.NewCard(48000, 0, 1), 100, false, playout.ChannelMap{})
	p := codec.Params{Type: ostp.PCM24, Channels: 2, Frames: frames, NoDither: true}
	var err error
	if h.encoder, err = codec.NewEncoder(p); err != nil {
		t.Fatal(err)
	}
	return h
}

func (w *way) join(m *Merge) {
	w.path, w.open, w.started, w.clock, w.waiting = m.NewPath(w.exact), true, false, arrival.Clock{}, nil
}

func (w *way) leave() {
	w.open = false
	w.path.Stop()
}

func (h *house) format() playout.Format {
	return playout.Format{Codec: codec.Params{Type: ostp.PCM24, Channels: 2, Frames: frames}, Latency: latency, Anchor: servo.Anchor{House: epoch}}
}

// step is one turn of everything.
func (h *house) step() {
	h.now = h.now.Add(turn)
	for localAt(epoch.Add(timebase.Media(h.sent*frames).Duration())) < h.now {
		h.send()
	}
	for _, w := range h.ways {
		w.tell()
	}
	if h.drain != nil {
		h.drain()
	}
	h.engine.Timeline.Card.Add(servo.Reading{Played: timebase.Card(h.now / 1e9 * 48000), At: h.now / 1e9 * 1e9})
	until := timebase.Card(h.now.Add(20*time.Millisecond)) * 48 / 1e6
	out := make([]float32, int(until-h.rendered)*2)
	h.engine.Render(out, h.rendered)
	h.rendered = until
	h.listen(out)
}

// send gives the next packet to each open way.
func (h *house) send() {
	left := localAt(epoch.Add(timebase.Media(h.sent * frames).Duration()))
	pcm := make([]float32, frames*2)
	for i := range frames {
		v := float32(0.5 * math.Sin(2*math.Pi*997*float64(h.sent*frames+i)/48000))
		pcm[2*i], pcm[2*i+1] = v, v
	}
	payload, err := h.encoder.Append(nil, pcm)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, w := range h.ways {
		if w.open {
			p := ostp.Packet{MediaTimestamp: uint32(h.sent * frames), Payload: payload}
			p.SetSequence(uint32(h.sent))
			p.Marker = h.sent == 0
			at := left.Add(w.least + time.Duration(float64(w.queue)*h.random.ExpFloat64()))
			w.waiting = append(w.waiting, arriving{at, p})
		}
	}
	h.sent++
}

// tell gives the path what its session would: the time, and its start.
func (w *way) tell() {
	h := w.house
	if !w.open {
		return
	}
	e := offset.Known(h.now, houseAt(h.now), drift, 100, 1e-6)
	if !w.exact {
		if !w.started && (len(w.waiting) == 0 || w.waiting[0].at > h.now) {
			return
		}
		w.hear()
		e = w.clock.Estimate(h.now)
	}
	w.path.SetClock(e)
	if !w.started {
		w.started = true
		if err := w.path.Start(h.format(), w.drain); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (w *way) hear() {
	for _, a := range w.waiting {
		if a.at <= w.house.now && a.at > w.house.now.Add(-turn) {
			w.clock.Add(epoch.Add(timebase.Media(a.packet.MediaTimestamp).Duration()), a.at)
		}
	}
}

func (w *way) drain() {
	kept := w.waiting[:0]
	for _, a := range w.waiting {
		if a.at <= w.house.now {
			w.path.Push(&a.packet, a.at)
		} else {
			kept = append(kept, a)
		}
	}
	w.waiting = kept
}

// listen keeps the largest third difference of the output: a click shows there.
func (h *house) listen(out []float32) {
	all := h.tail
	for i := 0; i < len(out); i += 2 {
		all = append(all, out[i])
	}
	for i := 3; i < len(all) && h.now > 2e9; i++ {
		d := float64(all[i]) - 3*float64(all[i-1]) + 3*float64(all[i-2]) - float64(all[i-3])
		h.rough = max(h.rough, math.Abs(d))
	}
	h.tail = append([]float32(nil), all[max(0, len(all)-3):]...)
}

// wrong is how far playout is from the sender's true time plus the latency.
func (h *house) wrong() time.Duration {
	p, ok := h.engine.Timeline.Presented(h.now)
	if !ok {
		return 0
	}
	due := localAt(epoch.Add(time.Duration(p.Media/48000*1e9) + latency))
	return p.Local.Sub(due)
}

// Two hundred changes among three paths, at random moments: nothing is lost,
// repeated, made up or clicks, and each time the LAN has led for long enough playout
// is where it belongs, to 50 µs.
func TestTransitions(t *testing.T) {
	h := newHouse(t)
	m := New(h, func() timebase.Local { return h.now })
	h.ways = []*way{
		{house: h, exact: true, least: 300 * time.Microsecond, queue: 100 * time.Microsecond},
		{house: h, least: 12 * time.Millisecond, queue: 2 * time.Millisecond},
		{house: h, least: 35 * time.Millisecond, queue: 6 * time.Millisecond},
	}
	current := h.ways[0]
	current.join(m)
	for range 600 { // it is young no more
		h.step()
	}
	var onLAN []float64
	for range 200 {
		next := h.ways[h.random.IntN(len(h.ways))]
		for next == current {
			next = h.ways[h.random.IntN(len(h.ways))]
		}
		next.join(m)
		for range 50 + h.random.IntN(100) { // both run
			h.step()
		}
		next.path.Prefer()
		current.leave()
		current = next
		for range 20 + h.random.IntN(150) {
			h.step()
		}
		if current.exact && h.random.IntN(5) == 0 { // now and then it is let to arrive
			for range 9000 {
				h.step()
			}
			onLAN = append(onLAN, math.Abs(float64(h.wrong())/1e3))
		}
	}
	h.check(m, onLAN)
}

func (h *house) check(m *Merge, onLAN []float64) {
	s := h.engine.Stats()
	if s.Lost != 0 || s.Concealed != 0 || s.Jumps != 0 || s.Packets[playout.Late] != 0 {
		h.t.Errorf("%d lost, %d frames made up, %d jumps, %d late; want none", s.Lost, s.Concealed, s.Jumps, s.Packets[playout.Late])
	}
	if h.rough > 0.01 {
		h.t.Errorf("a click of %.3f", h.rough)
	}
	if m.Changes() < 200 {
		h.t.Errorf("%d changes, want 200", m.Changes())
	}
	sort.Float64s(onLAN)
	if len(onLAN) < 10 || onLAN[len(onLAN)-1] > 60 {
		h.t.Errorf("on the LAN, %d times, playout is off by up to %.0f µs", len(onLAN), onLAN[max(0, len(onLAN)-1)])
	}
	if len(onLAN) == 0 {
		return
	}
	h.t.Logf("%d changes in %v; %d packets more than once; click %.4f; on the LAN %d times within %.1f µs", m.Changes(), time.Duration(h.now).Round(time.Second),
		s.Packets[playout.Duplicate], h.rough, len(onLAN), onLAN[len(onLAN)-1])
}

//go:build vm

package imagetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// A power cut comes within one of these: from power on until about the first sound,
// while the speaker plays, and from the beginning of an update until it waits for
// its end.
const (
	cutStarting = 60 * time.Second
	cutPlaying  = 10 * time.Second
	cutUpdating = 15 * time.Second
)

// cuts: power cuts at random, CUTS of them.
func (b *bench) cuts(m *Machine) {
	n := 8
	if v, err := strconv.Atoi(os.Getenv("CUTS")); err == nil {
		n = v
	}
	seed := uint64(time.Now().UnixNano())
	if v, err := strconv.ParseUint(os.Getenv("SEED"), 10, 64); err == nil {
		seed = v
	}
	random := rand.New(rand.NewPCG(seed, 0))
	b.note("%d power cuts at random, SEED=%d", n, seed)
	kinds := []struct {
		name string
		wait func(*Machine, time.Duration)
		most time.Duration
	}{
		{"starting", b.starting, cutStarting}, {"playing", playing, cutPlaying}, {"updating", b.updating, cutUpdating},
		{"the first start of a card", b.firstStart, cutStarting},
	}
	b.sounded = nil
	for i := range n {
		kind := kinds[(i+int(seed))%len(kinds)]
		at := time.Duration(random.Int64N(int64(kind.most)))
		kind.wait(m, at)
		b.cycle(m, fmt.Sprintf("power cut %d of %d, %.1f s into %s", i+1, n, at.Seconds(), kind.name))
	}
	slices.Sort(b.sounded)
	b.pass("%d of %d random power cuts survived; sound after a median of %.0f s, at most %.0f s", n, n, b.sounded[n/2].Seconds(), b.sounded[n-1].Seconds())
}

// starting lets the machine start for so long, after a cut.
func (b *bench) starting(m *Machine, at time.Duration) {
	m.PowerOff()
	b.must(m.PowerOn(b.Context()))
	time.Sleep(at)
}

// firstStart has a new card start for so long.
func (b *bench) firstStart(m *Machine, at time.Duration) {
	m.PowerOff()
	b.newCard()
	b.must(m.PowerOn(b.Context()))
	time.Sleep(at)
}

func playing(_ *Machine, at time.Duration) { time.Sleep(at) }

// updating cuts the power while an update is written, whose end never comes.
func (b *bench) updating(m *Machine, at time.Duration) {
	update := b.begin("endless/" + filepath.Base(b.file(generic, "1.2", ".tutti")))
	update.until(b.asked)
	update.until(time.After(at))
	m.PowerOff()
	update.end()
}

// begun is an update under way, which is not to end.
type begun struct {
	*bench
	cancel context.CancelFunc
	ended  chan string // tells what was printed
}

func (b *bench) begin(name string) *begun {
	ctx, cancel := context.WithCancel(b.Context())
	u := &begun{bench: b, cancel: cancel, ended: make(chan string, 1)}
	go func() {
		out, _ := b.Shell(ctx, "tutti-os update "+b.server+name)
		u.ended <- out
	}()
	return u
}

// until waits for something that must come before the update's end.
func (u *begun) until(what <-chan time.Time) {
	u.Helper()
	select {
	case <-what:
	case said := <-u.ended:
		u.Fatalf("FAIL the update ended too early: %s", said)
	}
}

// end gives up listening to the update, and returns what it printed.
func (u *begun) end() string {
	u.cancel()
	return <-u.ended
}

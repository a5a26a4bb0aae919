package remote

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/ostp/line"
)

// shut is a link that can lose all that is written.
type shut struct {
	link
	closed atomic.Bool
}

func (s *shut) write(b []byte) error {
	if s.closed.Load() {
		return nil
	}
	return s.link.write(b)
}

// The JOIN by which a listener asks for media is lost: it asks again.
func TestJoinLost(t *testing.T) {
	s := newStage(t, false)
	src := s.source()
	var way *shut
	m, err := dial(t.Context(), s.membership("Far"), line.Options{Quiet: true}, nil, func(ctx context.Context, e Endpoint, clock *hostclock.Clock) (link, error) {
		l, err := plainOrSecure(ctx, e, clock)
		way = &shut{link: l}
		return way, err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	way.closed.Store(true)
	path := new(ear)
	r, err := Join(t.Context(), ReceiverConfig{Member: m, Open: Relayed(m), Clock: s.clock, Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	way.closed.Store(false)
	s.until("media comes", func() bool {
		src.send(t, false)
		time.Sleep(10 * time.Millisecond)
		_, playing, _ := r.Way()
		return playing
	})
}

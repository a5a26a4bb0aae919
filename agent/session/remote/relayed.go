package remote

import (
	"context"

	"github.com/tutti-audio/tutti/sync/timebase"
)

// relayed is a stream that a relay sends to its member.
type relayed struct {
	*Member
	own bool // the membership is for nothing else
}

// Close implements Transport.
func (t relayed) Close() error {
	if t.own {
		return t.Member.Close()
	}
	t.Hear(nil)
	return nil
}

// Relayed opens the way by the relay that m is a member of; m stays one when it is
// closed.
func Relayed(m *Member) func(context.Context, func([]byte, timebase.Local)) (Transport, error) {
	return func(_ context.Context, hear func([]byte, timebase.Local)) (Transport, error) {
		m.Hear(hear)
		return relayed{Member: m}, nil
	}
}

// RelayedAlone is Relayed for a membership that ends with the way.
func RelayedAlone(m *Member) func(context.Context, func([]byte, timebase.Local)) (Transport, error) {
	return func(_ context.Context, hear func([]byte, timebase.Local)) (Transport, error) {
		m.Hear(hear)
		return relayed{Member: m, own: true}, nil
	}
}

package agent

import (
	"context"
	"sync"
	"time"

	"github.com/tutti-audio/tutti/agent/session/lan"
	"github.com/tutti-audio/tutti/ostp/describe"
)

// fetchEach is how long each of several sources has to answer.
const fetchEach = time.Second

// choose returns the address of the source to play, or of the gateway of those that
// count, or nothing.
func (s *Speaker) choose(ctx context.Context, counts func(gateway describe.Announced) bool) string {
	if s.config.Source != "" {
		return s.config.Source
	}
	found := s.nearby.addresses(s.channel(), counts)
	switch len(found) {
	case 0:
		return ""
	case 1:
		return found[0]
	}
	return eldest(ctx, found)
}

// eldest asks several sources and returns the one whose stream began first, so
// that all speakers choose the same, in whatever order they found them. When none
// answers it is the first.
func eldest(ctx context.Context, found []string) string {
	ctx, cancel := context.WithTimeout(ctx, fetchEach)
	defer cancel()
	streams := make([]*describe.Stream, len(found))
	var wait sync.WaitGroup
	for i, address := range found {
		wait.Go(func() { streams[i], _ = lan.Fetch(ctx, address) })
	}
	wait.Wait()
	best := 0
	for i, d := range streams {
		b := streams[best]
		if d != nil && (b == nil || d.Epoch < b.Epoch || d.Epoch == b.Epoch && d.SSRC < b.SSRC) {
			best = i
		}
	}
	return found[best]
}

// doubt has discovery look again at what it found at an address where nobody answers.
func (s *Speaker) doubt(address string) {
	if s.node == nil {
		return
	}
	for _, instance := range s.nearby.doubtful(address) {
		s.node.Doubt(instance)
	}
}

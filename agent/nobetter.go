package agent

import (
	"strings"

	"github.com/tutti-audio/tutti/agent/mode"
)

// noteWay remembers why a way cannot be opened or has ended; nil: it is open.
func (s *Speaker) noteWay(m mode.Mode, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed[m] = ""
	if err != nil {
		s.failed[m] = err.Error()
	}
}

// forgetWays is for another stream.
func (s *Speaker) forgetWays() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = [mode.Count]string{}
}

// noBetter says why ways that are better than the one that leads do not. Callers hold mu.
func (s *Speaker) noBetter() string {
	var all []string
	for m := range min(s.mode, mode.None) {
		if s.failed[m] == "" {
			continue
		}
		why := m.String() + ": " + s.failed[m]
		if m == mode.P2P {
			why += s.network.hint()
		}
		all = append(all, why)
	}
	return strings.Join(all, "; ")
}

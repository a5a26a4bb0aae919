package peer

import (
	"fmt"
	"strings"
	"sync"

	"github.com/pion/logging"
)

// refusal remembers why a TURN server gave no address. The library tells only its log,
// so this is a logger: it keeps the error of that one message and drops all others.
type refusal struct {
	logging.DefaultLeveledLogger
	mu  sync.Mutex
	why error
}

// NewLogger implements logging.LoggerFactory.
func (r *refusal) NewLogger(string) logging.LeveledLogger { return r }

// Warnf implements logging.LeveledLogger.
func (r *refusal) Warnf(format string, args ...any) {
	if !strings.HasPrefix(format, "failed to allocate on TURN client") {
		return
	}
	for _, a := range args {
		if err, ok := a.(error); ok {
			r.mu.Lock()
			r.why = err
			r.mu.Unlock()
		}
	}
}

// explain adds the refusal, if there was one, to the reason for which there is no way.
func (r *refusal) explain(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil || r.why == nil {
		return err
	}
	return fmt.Errorf("%w, and %w: %w", err, ErrTURN, r.why)
}

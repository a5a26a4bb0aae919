package ice

import (
	"strings"

	"github.com/pion/logging"
)

// stunURL is the STUN server that a TURN server is as well.
func stunURL(turn string) (string, bool) {
	rest, ok := strings.CutPrefix(turn, "turn:")
	host, _, _ := strings.Cut(rest, "?")
	return "stun:" + host, ok
}

// quiet is a logger for the library that says nothing: what a stranger sends is not
// worth a line each.
type quiet struct{}

// NewLogger implements logging.LoggerFactory.
func (quiet) NewLogger(string) logging.LeveledLogger { return &logging.DefaultLeveledLogger{} }

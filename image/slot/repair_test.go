package slot_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tutti-audio/tutti/image/slot"
)

// A partition is repaired until a look finds nothing, and not written at all if the
// first one does.
func TestRepair(t *testing.T) {
	for _, c := range []struct {
		faults   int // each repair mends one
		options  string
		repaired bool
		fails    bool
	}{
		{0, "-n", false, false},
		{1, "-n -a -n", true, false},
		{2, "-n -a -n -a -n", true, false},
		{1000, "", true, true},
	} {
		left, asked := c.faults, []string{}
		repaired, err := slot.Repair(func(option string) ([]byte, error) {
			asked = append(asked, option)
			if option == "-a" {
				left--
			} else if left == 0 {
				return nil, nil
			}
			return []byte("a fault"), errors.New("exit status 1")
		})
		if got := strings.Join(asked, " "); c.options != "" && got != c.options {
			t.Errorf("%d faults: asked for %s, not %s", c.faults, got, c.options)
		}
		if repaired != c.repaired || (err != nil) != c.fails || len(asked) > 20 {
			t.Errorf("%d faults: repaired %v, %v, after %d steps", c.faults, repaired, err, len(asked))
		}
	}
}
